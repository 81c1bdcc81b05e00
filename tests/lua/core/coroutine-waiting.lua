-- What waits for a builtin goes on by itself: nobody else resumes or closes it.
global assert, async, coroutine, error, ipairs, pcall, setmetatable, sleep

local function fails(co)
  assert.eq(coroutine.status(co), "normal")
  assert.eq({ coroutine.resume(co) }, { false, "cannot resume non-suspended coroutine" })
  local ok, err = pcall(coroutine.close, co)
  assert.contains(err, "cannot close a normal coroutine")
end

-- A task, and the script.
local co
local task = async.spawn(function()
  co = coroutine.running()
  sleep(0.02)
  return 7
end)
sleep(0.001)
fails(co)
assert.eq(task:await(), 7)
assert.eq(coroutine.status(co), "dead")
local main = coroutine.running()
async.spawn(function() fails(main) end):await()

-- A coroutine of the script's, while its resumer is there.
local closed
local function wait()
  local _ <close> = setmetatable({}, { __close = function() closed = true end })
  sleep(0.02)
  return coroutine.yield(1)
end
co = coroutine.create(wait)
task = async.spawn(coroutine.resume, co)
sleep(0.001)
fails(co)
assert.eq({ task:await() }, { true, 1 })
assert.eq(coroutine.status(co), "suspended")

-- And when that was cancelled.
for _, finish in ipairs({ coroutine.close, coroutine.resume }) do
  co, closed = coroutine.create(wait), false
  assert.eq(pcall(async.timeout, 0.001, function() coroutine.resume(co) end), false)
  -- Cancelled as soon as the loop gets to it.
  sleep(0.001)
  assert.eq(coroutine.status(co), "suspended")
  finish(co)
  assert.eq(coroutine.close(co), true)
  assert.eq(closed, true)
end

-- What a task came to is its own, whoever holds its coroutine.
local function ended(fn)
  task = async.spawn(function()
    co = coroutine.running()
    return fn()
  end)
  sleep(0.001)
  assert.eq(coroutine.status(co), "dead")
  assert.eq({ coroutine.resume(co) }, { false, "cannot resume dead coroutine" })
  assert.eq(coroutine.close(co), true)
  return pcall(task.await)
end
local function result() error("not to be called") end
assert.eq({ ended(function() return result, 2, result end) }, { true, result, 2, result })
assert.eq({ ended(function() error({ kind = "mine" }) end) }, { false, { kind = "mine" } })
