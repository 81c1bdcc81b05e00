-- Threads of tasks that have ended are used again, which nobody may notice.
global assert, async, collectgarbage, coroutine, debug, pairs, select

--- Runs a task to its end, and forgets it.
local function task(body)
  local result = async.spawn(body):await()
  collectgarbage()
  return result
end

-- A hook that a task set is gone with it, and so is what it left on the stack.
local hooked = 0
task(function()
  debug.sethook(function() hooked = hooked + 1 end, "", 1)
  return 1, 2, 3
end)
assert.gt(hooked, 0)
hooked = 0
task(function() for _ = 1, 100 do end end)
assert.eq(hooked, 0)
assert.eq(task(function(...) return select("#", ...) end), 0)

-- A thread that a script knows is not met again as somebody else's.
local seen <const> = {}
for at = 1, 20 do
  task(function()
    local thread <const> = coroutine.running()
    assert.eq(seen[thread], nil)
    seen[thread] = at
  end)
end
for thread in pairs(seen) do
  assert.eq(coroutine.status(thread), "dead")
end
