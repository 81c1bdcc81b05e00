-- Values both ways, from a plugin in C.
global assert, conformance, json, math, pairs, string, type

local echo <const> = conformance.echo
for _, value in pairs { true, false, 0, -1, math.mininteger, math.maxinteger, 0.1, 1e300, "", "a\0b\xff" } do
  assert.eq(echo(value), value)
  assert.eq(math.type(echo(value)), math.type(value))
end
assert.eq(echo(nil), nil)
assert.eq(echo(0 / 0) ~= echo(0 / 0), true)
assert.eq(#echo(string.rep("x", 1 << 20)), 1 << 20)
assert.eq(echo({ 1, { 2, a = "b" }, {} }), { 1, { 2, a = "b" }, {} })
assert.eq(conformance("called as a function"), "called as a function")

-- Functions and objects come back as themselves.
local function own() end
assert.eq(echo(own) == own, true)
assert.eq(echo({ own })[1] == own, true)
local counter <const> = conformance.counter(1)
assert.eq(echo(counter):add(2), 3)

local values <const> = conformance.values()
assert.eq(values.yes, true)
assert.eq(values.int, math.mininteger)
assert.eq(values.float, 0.1)
assert.eq(values.string, "a\0b\xff")
assert.eq(values.empty, "")
assert.eq(values.list, { 1, 2.5, "three", false })
assert.eq(values.map, { key = "value", [7] = "seven" })
assert.eq(values.absent, nil)
assert.eq(values.null == json.null, true)
-- What is empty keeps its shape.
assert.eq(json.encode(values.no_items), "[]")
assert.eq(json.encode(values.no_pairs), "{}")
assert.eq(conformance.nothing(), nil)

assert.eq(conformance.tags(nil, true, 1, 0.5, "s", { 1 }, { a = 1 }, counter, own), { 0, 1, 2, 3, 4, 5, 6, 7, 8 })
assert.eq(type(conformance.vm()), "number")

-- A table with holes is no list, whatever `#` says: nothing of it is lost.
local holes <const> = echo({ nil, "a", nil, "b", nil })
assert.eq(holes[2], "a")
assert.eq(holes[4], "b")
