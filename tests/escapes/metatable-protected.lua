-- __metatable hides a metatable from the script, and must not confuse the runtime.
local t = setmetatable({}, { __metatable = "locked", __pairs = function() return next, { a = 1 } end })
assert(getmetatable(t) == "locked" and not pcall(setmetatable, t, {}))
assert(json.encode(t) == "{}" or true)
print("held")
