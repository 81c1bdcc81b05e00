-- exit: 1
-- error: crypto.hash: argument 1: expected string, got nil
global crypto

crypto.hash(nil)
