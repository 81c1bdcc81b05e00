global assert, async, error, pcall, sleep, time

-- Results, arguments, several values.
local task = async.spawn(function(a, b)
  sleep(0.01)
  return a + b, nil, "third"
end, 1, 2)
local sum, none, third = task:await()
assert.eq({ sum, third }, { 3, "third" })
assert.eq(none, nil)
-- Again, and by a dot.
assert.eq(task.await(), 3)
assert.eq(task:await(), 3)

-- Errors arrive as they were thrown.
local thrown = { kind = "mine" }
local failing = async.spawn(function() error(thrown) end)
local ok, err = pcall(failing.await)
assert.eq(ok, false)
assert.eq(err == thrown, true)

-- Everyone at once.
local start = time()
local results = async.all({
  function() sleep(0.1) return "a" end,
  function() return "b" end,
  function() sleep(0.05) end,
})
assert.eq(results[1], "a")
assert.eq(results[2], "b")
assert.eq(results[3], nil)
assert.lt(time() - start, 1)

ok, err = pcall(async.all, {
  function() sleep(10) end,
  function() sleep(0.01) error({ kind = "first" }) end,
})
assert.eq(err.kind, "first")
assert.lt(time() - start, 5)
assert.eq(#async.all({}), 0)

assert.eq(async.race({
  function() sleep(10) return "slow" end,
  function() sleep(0.01) return "fast" end,
}), "fast")

-- Inside each other.
assert.eq(async.spawn(function()
  return async.spawn(function()
    sleep(0.01)
    return "inner"
  end):await()
end):await(), "inner")
assert.lt(time() - start, 5)
