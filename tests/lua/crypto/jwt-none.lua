-- exit: 1
-- error: crypto.jwt_verify: the token's header: algorithm `none` is no signature
global base64, crypto

local token = base64.url_encode('{"alg":"none"}') .. "." .. base64.url_encode('{"sub":"admin"}') .. "."
crypto.jwt_verify(token, "secret")
