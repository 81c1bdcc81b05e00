-- An error that crosses coroutines must stay data.
local ok, err = pcall(coroutine.wrap(function() error(setmetatable({}, { __tostring = function() return "x" end })) end))
assert(not ok and type(err) == "table")
print("held")
