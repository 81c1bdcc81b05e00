-- JSON nested deeper than any stack, and a table that holds itself.
assert(not pcall(json.parse, ("["):rep(1000000)))
local t = {}
t.t = t
assert(not pcall(json.encode, t))
print("held")
