-- An __index that leads to itself.
local t = {}
setmetatable(t, { __index = t })
assert(not pcall(function() return t.x end))
print("held")
