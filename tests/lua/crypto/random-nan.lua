-- exit: 1
-- error: crypto.random_bytes: argument 1: expected an integer, got number NaN
global crypto

crypto.random_bytes(0 / 0)
