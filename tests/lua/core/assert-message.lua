-- exit: 1
-- error: the token is missing
-- error: assert-message.lua:5
global assert
assert(nil, "the token is missing")
