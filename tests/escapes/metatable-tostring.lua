-- A __tostring that answers with something else.
assert(not pcall(tostring, setmetatable({}, { __tostring = function() return {} end })))
pcall(print, setmetatable({}, { __tostring = function() error("x") end }))
pcall(log.info, setmetatable({}, { __tostring = function() error("x") end }))
print("held")
