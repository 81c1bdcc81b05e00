global assert, async, coroutine, sleep

-- Coroutines of the script's own may wait inside, and still yield to their resumer.
local co = coroutine.create(function(a)
  sleep(0.01)
  local b = coroutine.yield(a + 1)
  sleep(0.01)
  return b * 2
end)
local ok, value = coroutine.resume(co, 1)
assert.eq(ok, true)
assert.eq(value, 2)
ok, value = coroutine.resume(co, 10)
assert.eq(value, 20)
assert.eq(coroutine.status(co), "dead")

local values = {}
for value in coroutine.wrap(function()
  for at = 1, 3 do
    sleep(0.001)
    coroutine.yield(at)
  end
end) do
  values[#values + 1] = value
end
assert.eq(values, { 1, 2, 3 })
