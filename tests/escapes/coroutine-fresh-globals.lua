-- A coroutine has a state of its own, but the same globals.
local ok, a, b = coroutine.resume(coroutine.create(function() return io, _G end))
assert(ok and a == nil and b == _G)
print("held")
