global assert, pcall, setmetatable, tostring

-- Many arguments, so that the stack is full before the memory is.
local function forever(a, b, c, d, e, f, g, h) return 1 + forever(a, b, c, d, e, f, g, h) end
local ok, err = pcall(forever)
assert.eq(ok, false)
assert.contains(tostring(err), "stack overflow")
local endless = setmetatable({}, { __index = function(t, k) return t[k] end })
ok, err = pcall(function() return endless.x end)
assert.eq(ok, false)
assert.contains(tostring(err), "overflow")
