-- Tasks, callbacks and the host's reactor, from a plugin in C.
global assert, async, conformance, error, ipairs, pcall, select, sleep, tostring

-- Pending, at once, beside each other.
assert.eq(conformance.later(1, { "value" }), { "value" })
assert.eq(conformance.at_once("value"), "value")
local results <const> = async.all {
  function() return conformance.later(5, 1) end,
  function() return conformance.later(1, 2) end,
}
assert.eq(results, { 1, 2 })
conformance.sleep(1)
assert.eq(conformance.pipe(), "through a pipe")
conformance.spawn(1)
while conformance.spawned() == 0 do
  sleep(0.001)
end

-- Cancelled: the plugin hears of it.
local before <const> = conformance.cancelled()
local ok, err = pcall(async.timeout, 0.01, conformance.forever)
assert.eq(ok, false)
assert.eq(err.kind, "timeout")
while conformance.cancelled() == before do
  sleep(0.001)
end
assert.eq(conformance.cancelled(), before + 1)

-- Lua functions, as coroutines that may wait, and at once.
local function double(value)
  sleep(0.001)
  return value * 2
end
assert.eq(conformance.call(double, 21), 42)
assert.eq(conformance.call_from_thread(double, 21), 42)
assert.eq(conformance.call_now(function(...) return select("#", ...) end, 1, nil, 3), 3)

-- What they raise reaches the caller, and what was raised is kept.
for _, call in ipairs { conformance.call, conformance.call_from_thread, conformance.call_now } do
  ok, err = pcall(call, function() error("from inside", 0) end)
  assert.eq(ok, false)
  assert.contains(tostring(err), "from inside")
end

-- A function that runs at once may not wait: an error, never a stuck process.
ok, err = pcall(conformance.call_now, double, 21)
assert.eq(ok, false)
assert.contains(tostring(err), "wait")

ok = pcall(conformance.call_cancelled, double, 21)
assert.eq(ok, false)
