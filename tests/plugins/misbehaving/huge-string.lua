-- exit: 1
-- error: not enough memory (the limit is 64
-- hint: --memory-limit
global misbehaving

misbehaving.huge_string(200000000)
