-- Results that are none: each an error of the call, and the process goes on.
global assert, conformance, ipairs, pcall, tostring

local STRING <const>, LIST <const>, MAP <const>, ERROR <const> = 4, 5, 6, 10

local function refused(expected, name, ...)
  local ok, err = pcall(conformance[name], ...)
  assert.eq(ok, false, name)
  assert.contains(tostring(err), "conformance." .. name)
  assert.contains(tostring(err), expected)
end

-- Null pointers: strings, lists, maps, objects, functions, blocks, errors, records.
for _, tag in ipairs { STRING, LIST, MAP, 7, 8, 9, ERROR, 12 } do
  refused("points nowhere", "nowhere", tag, 3)
  refused("points nowhere", "nowhere", tag, 4294967295)
  refused("points nowhere", "nowhere", tag, 3, true)
end
-- Of no length they are what they say.
assert.eq(conformance.nowhere(STRING, 0), "")
assert.eq(conformance.nowhere(LIST, 0), {})
assert.eq(conformance.nowhere(MAP, 0), {})
for which = 0, 3 do refused("points nowhere", "hollow", which) end

for _, tag in ipairs { LIST, MAP, ERROR } do refused("nested deeper than", "itself", tag) end

refused("NaN", "odd_keys", 0)
refused("4096", "odd_keys", 1)
assert.eq(conformance.odd_keys(2), { other = 2 })

local ok, err = pcall(conformance.odd_error)
assert.eq(ok, false)
assert.eq(err[""], "nothing")
ok, err = pcall(conformance.odd_error, true)
assert.eq(ok, false)
assert.contains(tostring(err), "conformance.odd_error")

-- A status that is none is a failure; the result is its reason.
for _, status in ipairs { 3, -1, 1 << 30 } do
  ok, err = pcall(conformance.odd_status, status)
  assert.eq(ok, false)
  assert.eq(err, status)
end

refused("points nowhere", "sets")
assert.eq(conformance.sets("first"), "first")
refused("without a task", "without_task")
refused("not declared `async`", "not_async")

-- What is well is well.
assert.eq(conformance.echo({ 1, { a = "b" } }), { 1, { a = "b" } })
