-- error: WARN  old and new
-- error: WARN  error in __gc
-- error: WARN  @ is text in pieces
-- stdout: end
-- Lua's warnings are log lines.
global collectgarbage, error, print, setmetatable, warn

warn("old ", "and ", "new")
setmetatable({}, { __gc = function() error("lost in a finalizer") end })
collectgarbage()
warn("@", " is text in pieces")
warn("@off")
warn("not shown")
warn("@on")
print("end")
