-- The script is the main coroutine to itself, although it may wait, which takes one of the runtime's.
global assert, async, coroutine, pcall, select, sleep

local main, is_main = coroutine.running()
assert.eq(is_main, true)
assert.eq(coroutine.status(main), "running")

-- Whether `coroutine.yield` has somebody to yield to: libraries with a scheduler of their own ask before they do.
assert.eq(coroutine.isyieldable(), false)
local ok, err = pcall(coroutine.yield, 1)
assert.eq(err, "attempt to yield from outside a coroutine")
ok, err = pcall(coroutine.close)
assert.contains(err, "cannot close main thread")
assert.eq(coroutine.resume(main), false)

local co = coroutine.create(function(...)
  assert.eq(select(2, coroutine.running()), false)
  assert.eq(coroutine.isyieldable(), true)
  assert.eq(coroutine.status(main), "normal")
  sleep(0.001)
  assert.eq(coroutine.isyieldable(), true)
  return coroutine.yield(...)
end)
assert.eq(coroutine.isyieldable(co), true)
assert.eq({ coroutine.resume(co, 1, 2) }, { true, 1, 2 })
assert.eq({ coroutine.resume(co, 3) }, { true, 3 })

-- A task is none that somebody resumed either, nor is it the main one.
local running, isyieldable, yields
async.spawn(function()
  running, isyieldable, yields = select(2, coroutine.running()), coroutine.isyieldable(), pcall(coroutine.yield)
end):await()
assert.eq({ running, isyieldable, yields }, { false, false, false })
assert.eq(select(2, coroutine.running()), true)

-- One that closes itself has ended.
assert.eq(select("#", async.spawn(function() coroutine.close() end):await()), 0)
