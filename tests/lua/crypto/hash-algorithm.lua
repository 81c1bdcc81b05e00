-- exit: 1
-- error: crypto.hash: unknown hash algorithm `SHA-256`
-- hint: did you mean `sha256`?
global crypto

crypto.hash("abc", "SHA-256")
