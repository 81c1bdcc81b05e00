-- exit: 1
-- error: crypto.jwt_verify: argument 3: unknown option `isuer`
-- hint: did you mean `issuer`?
global crypto

crypto.jwt_verify("a.b.c", "secret", { isuer = "x" })
