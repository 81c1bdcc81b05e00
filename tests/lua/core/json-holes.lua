global assert, ipairs, json, pcall

-- A list that was parsed comes back with its nulls, but for those at its end.
for _, text in ipairs({ "[null,1]", "[1,null,3]", "[null,null,null,4]", "[[null,{}],[]]", '[{"a":[null,true]}]' }) do
  assert.eq(json.encode(json.parse(text)), text)
end
assert.eq(json.encode(json.parse("[1,null]")), "[1]")
assert.eq(json.encode(json.parse("[1,null]", { null = true })), "[1,null]")

-- Not marked, it is an object: where such a table ends is nothing to rely on.
assert.eq(json.encode({ 1, nil, 3 }), '{"1":1,"3":3}')
assert.eq(json.encode({ 1, 2, x = 3 }), '{"1":1,"2":2,"x":3}')
assert.eq(json.encode({ [2] = 1 }), '{"2":1}')
assert.eq(json.encode({ [-1] = 1, [0] = 2 }), '{"-1":1,"0":2}')

-- Nothing is left out silently, and one index does not make gigabytes of nulls.
for _, case in ipairs({
  { json.array({ "a", name = "b" }), "the key `name` in an array" },
  { json.array({ [0] = "a" }), "the key `0` in an array" },
  { json.array({ [1.5] = "a" }), "the key `1.5` in an array" },
  { json.array({ [1 << 60] = "a" }), "an array of 1 items of which the last is at 1152921504606846976" },
  { { [1] = "a", ["1"] = "b" }, 'the keys 1 and "1" would be the same' },
}) do
  local ok, err = pcall(json.encode, { list = case[1] })
  assert.eq(ok, false)
  assert.contains(err.message, case[2])
  assert.contains(err.message, " at list")
end

-- Lists that are none, many times over: each is looked at once.
local deep = 1
for _ = 1, 200 do
  deep = { deep, x = 1 }
end
assert.contains(json.encode(deep), '{"1":1,"x":1}')
