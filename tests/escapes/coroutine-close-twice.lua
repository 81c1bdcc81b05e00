-- Closing coroutines in every state.
local co = coroutine.create(function() coroutine.yield() end)
coroutine.resume(co)
assert(coroutine.close(co))
assert(coroutine.close(co))
print("held")
