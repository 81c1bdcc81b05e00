-- A list of functions with holes or other keys would lose some of them without a word.
global assert, async, ipairs, pcall

local function nothing() end
for _, run in ipairs({ async.all, async.race }) do
  local ok, err = pcall(run, { nothing, name = nothing })
  assert.eq(ok, false)
  assert.contains(err.message, "argument 1: expected a list of functions, got the key `name`")
  ok, err = pcall(run, { nothing, [3] = nothing })
  assert.contains(err.message, "argument 1: expected a list of functions, got the key `3`")
  ok, err = pcall(run, { nothing, 5 })
  assert.contains(err.message, "argument 1: item 2: expected function, got number")
end
assert.eq(#async.all({}), 0)
