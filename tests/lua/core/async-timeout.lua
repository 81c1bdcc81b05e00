global assert, async, error, ipairs, math, pcall, sleep, time

assert.eq(async.timeout(5, function() return "done" end), "done")
local start = time()
local ok, err = pcall(async.timeout, 0.02, function() sleep(10) end)
assert.eq(ok, false)
assert.eq(err.kind, "timeout")
assert.contains(err.message, "0.02")
assert.lt(time() - start, 5)
ok, err = pcall(async.timeout, 5, function() error({ kind = "own" }) end)
assert.eq(err.kind, "own")
for _, seconds in ipairs({ -1, 0 / 0, math.huge, 1e300 }) do
  assert.eq(pcall(async.timeout, seconds, function() end), false)
end
