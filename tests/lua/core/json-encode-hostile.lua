global assert, ipairs, json, math, pcall, print, coroutine

local cycle = {}
cycle.cycle = cycle
local list = {}
list[1] = list
local deep = {}
for _ = 1, 100000 do
  deep = { deep }
end
for _, case in ipairs({
  { cycle, "contains itself" },
  { list, "contains itself" },
  { deep, "nested deeper than" },
  { 0 / 0, "JSON" },
  { math.huge, "JSON" },
  { { a = { 1, -math.huge } }, "JSON" },
  { print, "function" },
  { { f = print }, "function" },
  { coroutine.create(print), "thread" },
  { { [true] = 1 }, "boolean" },
  { { [1.5] = 1 }, "key" },
  { "\xff", "UTF-8" },
  { { ["\xff"] = 1 }, "UTF-8" },
}) do
  local ok, err = pcall(json.encode, case[1])
  assert.eq(ok, false)
  assert.eq(err.kind, "value")
  assert.contains(err.message, case[2])
end
