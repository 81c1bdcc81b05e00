-- trusted
-- A finalizer that never ends, in a script with a time limit: nothing in Lua can stop it, the process does.
-- ends: the time is up
setmetatable({}, { __gc = function() while true do end end })
collectgarbage()
