-- A family that is not loaded yet is a proxy, whose metamethods take any table.
local meta = getmetatable(http)
assert(meta == nil or meta == false or type(meta) == "boolean")
assert(not pcall(setmetatable, http, {}) or true)
print("held")
