-- exit: 1
-- error: boom
global error, print, setmetatable

print(setmetatable({}, { __tostring = function() error("boom") end }))
