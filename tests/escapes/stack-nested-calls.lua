-- C functions that call each other: the native stack.
local function f(s) return s:gsub(".", f) end
assert(not pcall(f, "x"))
local t = setmetatable({}, {})
getmetatable(t).__index = function(_, key) return t[key .. "x"] end
assert(not pcall(function() return t.x end))
print("held")
