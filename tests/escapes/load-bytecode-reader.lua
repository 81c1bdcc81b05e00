-- The same through a function that hands it out piece by piece.
local parts, at = { "\27", "LuaU", "\0\25\147" }, 0
local made = load(function() at = at + 1 return parts[at] end)
assert(made == nil)
print("held")
