---@meta crypto

---Hashes, MACs, random values and JSON Web Tokens.
---@class crypto
crypto = {}

---@alias crypto.Hash
---| "sha256"
---| "sha224"
---| "sha384"
---| "sha512"
---| "sha3-224"
---| "sha3-256"
---| "sha3-384"
---| "sha3-512"
---| "sha1" # only where an old API asks for it
---| "md5" # only where an old API asks for it

---@alias crypto.JwtAlgorithm
---| "RS256"
---| "RS384"
---| "RS512"
---| "PS256"
---| "PS384"
---| "PS512"
---| "ES256"
---| "ES384"
---| "ES512"
---| "EdDSA"
---| "HS256"
---| "HS384"
---| "HS512"

---@class (exact) crypto.SignOptions
---@field kid? string the key's name, for the header
---@field headers? table<string, any> more of the header; not `alg`, `crit` or `b64`

---@class (exact) crypto.VerifyOptions
---@field algorithm? crypto.JwtAlgorithm|crypto.JwtAlgorithm[] what the token must be signed with; by default, anything that the key is for
---@field audience? string|string[] of which the token's `aud` must have one; not checked by default
---@field issuer? string|string[] of which the token's `iss` must be one; not checked by default
---@field leeway? number seconds by which clocks may differ; default 60

---@class crypto.DecodedToken
---@field header table<string, any>
---@field claims table<string, any>

---The hash of some bytes, in hexadecimal.
---@param data string
---@param algorithm? crypto.Hash default `sha256`
---@return string
function crypto.hash(data, algorithm) end

---The hash of a file, in hexadecimal. Waits: other coroutines go on while it is read.
---@param path string
---@param algorithm? crypto.Hash default `sha256`
---@return string
function crypto.hash_file(path, algorithm) end

---The HMAC of some bytes, in hexadecimal, or as bytes when `raw` is true.
---@param key string
---@param data string
---@param algorithm? crypto.Hash default `sha256`
---@param raw? boolean default `false`
---@return string
function crypto.hmac(key, data, algorithm, raw) end

---Random letters and digits (`A-Z`, `a-z`, `0-9`), from the system's source.
---@param length? integer 1 to 16777216, default 32
---@return string
function crypto.random(length) end

---Random bytes from the system's source.
---@param length integer 1 to 16777216
---@return string
function crypto.random_bytes(length) end

---A random UUID (version 4).
---@return string
function crypto.uuid() end

---Whether two strings are equal, in a time that does not tell where they differ.
---@param a string
---@param b string
---@return boolean
function crypto.equals(a, b) end

---Signs claims as a JSON Web Token. `exp`, `nbf` and `iat` are cut to whole seconds.
---@param claims table<string, any>
---@param key string a private key in PEM, or the secret for `HS256`, `HS384` and `HS512`
---@param algorithm? crypto.JwtAlgorithm default `RS256`
---@param options? crypto.SignOptions
---@return string
function crypto.jwt_sign(claims, key, algorithm, options) end

---Checks the signature and the times of a JSON Web Token and returns its claims; raises otherwise,
---with kind `token`, `algorithm`, `key`, `signature`, `expired`, `not_yet_valid`, `issuer`,
---`audience` or `claims`.
---@param token string
---@param key string|table a public key or certificate in PEM, a JWKS (JSON text or a table), or a secret
---@param options? crypto.VerifyOptions
---@return table<string, any>
function crypto.jwt_verify(token, key, options) end

---Reads a JSON Web Token **without checking anything**.
---@param token string
---@return crypto.DecodedToken
function crypto.jwt_decode(token) end
