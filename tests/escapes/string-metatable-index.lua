-- The metatable of strings is another way to the string library.
local index = getmetatable("").__index
assert(index == string and index.dump == nil and ("").dump == nil)
print("held")
