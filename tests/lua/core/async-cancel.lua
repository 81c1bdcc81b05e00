global assert, async, pcall, sleep, time

local reached = false
local start = time()
local task = async.spawn(function()
  sleep(10)
  reached = true
end)
sleep(0.01)
task:cancel()
local ok, err = pcall(task.await)
assert.eq(ok, false)
assert.eq(err.kind, "cancelled")
assert.eq(reached, false)
assert.lt(time() - start, 5)
-- Again, and after the end.
task:cancel()
local done = async.spawn(function() return 1 end)
assert.eq(done:await(), 1)
done:cancel()
assert.eq(done:await(), 1)
