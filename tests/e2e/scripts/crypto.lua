assert.eq(crypto.hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
local token = crypto.jwt_sign({ sub = "probe" }, "a secret of enough bytes, 32 of it", "HS256")
assert.eq(crypto.jwt_verify(token, "a secret of enough bytes, 32 of it", { algorithm = "HS256" }).sub, "probe")
