global assert, base64, crypto, json, pairs, pcall, time, tostring

local rsa = [[
-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCzG7ZDHBMxB7Ty
HImBpSAT9YsaawHkR6WSJ7nhD9C34xWbyc49NpiGc2t31cjPWeVj16gT8/h0qe/D
kvWIRk5dc3KMtbI0Fxs17exSHbB7IKINbDsOWdM8vxl/cNIn6BhH8koRaeRgcqMv
x+u4/Mq3YU1LRk5X4zSf57tVvVwyO/4T8whaPbfYneWk/DgMnxcC8MA1cFp74xlx
ZTn6Zpnuh59YTSG71fZqnPhmD0aFdY8z8UKTfkxHSx+J17jcXzRoI5S/nSBlTjBB
rgBgfmGZpVJis5hXieA8De+RSXm+zcUjChmjAyWNLceRJRUrjQD9S5eItwe9Td5o
n2im3BpfAgMBAAECggEAOt1ZupaojA2vX38Xhj9h2o1xqT4QAhm2BeH+ikRrYXRF
rszVdnLSECYw5NKjS9qMtJK1D9G4D4emYE2VWrNYoAgIVsyEg/AwJjpK1/YgAWeJ
OwYeJqpI7YcU9zh6KVlzWXn889osj7I9hb+b7lFOwpQ9FgdGSkZHDmLXw+cXPP7D
Ku9pJlsKfP/m8++J0POX695vADYPi6FV7yq19T4PjRC3iSqQqNADbB+nyALMGLKt
8lSfn64ikLvyJVixxADKxGj5hgPNUIyYEPetwRbGtp6LDXH3OpkPosnT0+Q0SIx8
VBzlmsTxwOqcZa4ypktLkACN7AfqcHXxfZ1LWIRLKQKBgQDr14d51BFXJwD4hX1c
87iV4ObuiWg3mpYa3fjYsrQH+GiTD8lIYtwJM/DgwAKcuKuCdVPa76hZ70LIZSp5
OJvUaHIOdRHlv1JAZp6O6/Kk4lB6IxyskGZnyffuZk89GWM0VxBbC3EWCG9BRcWi
U1H/yLVsrodug3e8MN2E/qVXWwKBgQDCaspIUdn6XCDg9ExPY+eHMGRHzi2H2bIM
p3Rah5ruucCHKwCZtWOoEAUaeC1AdytcI5k1t7YE/l/zAVHNBTSAzNa9FUUBkgeT
y+XGtk0yzhCvjYisnLE5nwHgDvaS+Q6DtziP8h53/jV4WXAn1HalvlxnuPHAzMV1
gRG2VA68TQKBgQDAHJRN6DKr5KjEyLCC7EF7TXWv75xGVxVZE2Hm20MNjwtYaC6V
WXpVwMrBuYcnNML5BSvmlvxzLhQfe1Eq57MARohKQJDwrnWI4k7cq1S/fV8C7uEn
rITOnNXqi8qWQbzu4NEA6QQYZ4yBBh3kiaytCEjJHC5UFqGNWdzIvknfKwKBgQDA
922/Sj6omDiqDtCPHAH51LYz7xiR9ikbFjoOgPnuaMAHaU83QSqg7QWjuBRyH9YR
peOzxZwMaM6jS3P9omTyUl3xXuMXI/IRaBewm9ET1CQLmtdFPGFLZ99cnH1wc3NM
mNazSQWk49P+mAcSAXeiGsdsy8xoKNb0Qh9qcRQPIQKBgDZzLxkv3U9C0tbxSbFI
sgjJyT0YOjLn05hva2sA3OeKmxCyT1lbEiN6ZjCypf6Tlv4NT2mCIdKtCHfyrsFT
Pjh7Sl73pHqVXvMJPg7YyzF5eDodUAeH1FIUqth8fLeZBCfh/gz4lngGdrk42OZA
5rbdsKGyaRNzzyN/QXWc3QSq
-----END PRIVATE KEY-----
]]
local rsa_public = [[
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsxu2QxwTMQe08hyJgaUg
E/WLGmsB5Eelkie54Q/Qt+MVm8nOPTaYhnNrd9XIz1nlY9eoE/P4dKnvw5L1iEZO
XXNyjLWyNBcbNe3sUh2weyCiDWw7DlnTPL8Zf3DSJ+gYR/JKEWnkYHKjL8fruPzK
t2FNS0ZOV+M0n+e7Vb1cMjv+E/MIWj232J3lpPw4DJ8XAvDANXBae+MZcWU5+maZ
7oefWE0hu9X2apz4Zg9GhXWPM/FCk35MR0sfide43F80aCOUv50gZU4wQa4AYH5h
maVSYrOYV4ngPA3vkUl5vs3FIwoZowMljS3HkSUVK40A/UuXiLcHvU3eaJ9optwa
XwIDAQAB
-----END PUBLIC KEY-----
]]
local ec = [[
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3hPbUiWl1bUSFOF1
umdMMzMUpTNM/otjgcxCHRBcQLShRANCAARNz6mEaZn0m9Md6DSYB5qP/p39TTTI
hnKkxqiDVDeiuSQepietX5Ofg3QQLtgZjHzzGs4iw5Ek3ITYcVcJL9CS
-----END PRIVATE KEY-----
]]
local ec_public = [[
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETc+phGmZ9JvTHeg0mAeaj/6d/U00
yIZypMaog1Q3orkkHqYnrV+Tn4N0EC7YGYx88xrOIsORJNyE2HFXCS/Qkg==
-----END PUBLIC KEY-----
]]
local ed = [[
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIMxM3UxLpbdONv+cttz03gVKMyzreaBXoAnm29t+cfnv
-----END PRIVATE KEY-----
]]
local ed_public = [[
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAdXgET0XtYuJiR6/HN9gmW6ZM/pD4GquuPFEv9FXUQSw=
-----END PUBLIC KEY-----
]]

local now = time()
local claims = {
  sub = "me",
  iat = now,
  exp = now + 300,
  aud = { "a", "b" },
  nested = { deep = { list = { 1, 2, 3 }, flag = true } },
  big = 9007199254740993,
}
for algorithm, keys in pairs({
  HS256 = { "secret", "secret" },
  RS256 = { rsa, rsa_public },
  PS512 = { rsa, rsa_public },
  ES256 = { ec, ec_public },
  EdDSA = { ed, ed_public },
}) do
  local token = crypto.jwt_sign(claims, keys[1], algorithm, { kid = "k1" })
  local got = crypto.jwt_verify(token, keys[2], { audience = "b", algorithm = algorithm })
  assert.eq(got.sub, "me")
  assert.eq(got.exp, (now + 300) // 1 | 0)
  assert.eq(got.aud, { "a", "b" })
  assert.eq(got.nested, claims.nested)
  assert.eq(got.big, 9007199254740993)
  local peek = crypto.jwt_decode(token)
  assert.eq(peek.header, { alg = algorithm, kid = "k1", typ = "JWT" })
  assert.eq(peek.claims, got)
end

-- Algorithm confusion: the public key as a secret.
local message = base64.url_encode('{"alg":"HS256"}') .. "." .. base64.url_encode('{"sub":"admin"}')
local forged = message .. "." .. base64.url_encode(crypto.hmac(rsa_public, message, "sha256", true))
local ok, err = pcall(crypto.jwt_verify, forged, rsa_public)
assert.eq(ok, false)
assert.eq(err.kind, "algorithm")
assert.eq(tostring(err),
  "crypto.jwt_verify: the token is signed with HS256, which does not fit the key: an RSA key")

-- A key set, as text and as a table.
local set = { keys = {
  { kty = "oct", kid = "old", k = base64.url_encode("other") },
  { kty = "oct", kid = "new", k = base64.url_encode("secret"), alg = "HS256", use = "sig" },
} }
local token = crypto.jwt_sign({ sub = "me" }, "secret", "HS256", { kid = "new" })
assert.eq(crypto.jwt_verify(token, set).sub, "me")
assert.eq(crypto.jwt_verify(token, json.encode(set)).sub, "me")

-- Each failure has its kind.
local function kind(...)
  local fine, failure = pcall(crypto.jwt_verify, ...)
  assert.eq(fine, false)
  return failure.kind
end
assert.eq(kind("no token", "secret"), "token")
assert.eq(kind(token, "another"), "signature")
assert.eq(kind(token, rsa_public), "algorithm")
assert.eq(kind(token, rsa), "key")
assert.eq(kind(token, "secret", { issuer = "me" }), "issuer")
assert.eq(kind(token, "secret", { audience = "me" }), "audience")
assert.eq(kind(token, "secret", { leeway = -1 }), "argument")
assert.eq(kind(crypto.jwt_sign({ exp = now - 100 }, "secret", "HS256"), "secret"), "expired")
assert.eq(kind(crypto.jwt_sign({ nbf = now + 100 }, "secret", "HS256"), "secret"), "not_yet_valid")
