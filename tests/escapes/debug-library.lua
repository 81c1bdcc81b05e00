-- The debug library reaches upvalues, locals and the registry.
assert(debug == nil)
local ok, trace = xpcall(function() error("x") end, function(message) return debug and debug.getregistry or message end)
assert(not ok and type(trace) == "string")
print("held")
