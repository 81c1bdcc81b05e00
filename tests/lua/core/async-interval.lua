global assert, async, sleep

local count = 0
local interval = async.spawn_interval(0.01, function() count = count + 1 end)
sleep(0.3)
interval:cancel()
assert.gt(count, 3)
local before = count
sleep(0.05)
assert.eq(count, before)
