-- exit: 1
-- error: crypto.jwt_verify: the token expired
global crypto, time

local token = crypto.jwt_sign({ exp = time() - 3600 }, "secret", "HS256")
crypto.jwt_verify(token, "secret")
