-- exit: 1
-- error: not enough memory (the limit is 64
-- hint: --memory-limit
global misbehaving

misbehaving.huge_list(10000000)
