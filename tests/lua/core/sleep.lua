global assert, async, sleep, time

local start = time()
sleep(0.05)
assert.gt(time() - start, 0.04)
sleep(0)

-- Sleeps run beside each other.
start = time()
async.all({
  function() sleep(0.2) end,
  function() sleep(0.2) end,
  function() sleep(0.2) end,
})
assert.lt(time() - start, 0.5)
