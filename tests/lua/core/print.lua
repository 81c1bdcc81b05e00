-- stdout: one	2	nil	true	3.0
-- stdout: object
global print, setmetatable

print("one", 2, nil, true, 3.0)
print(setmetatable({}, { __tostring = function() return "object" end }))
