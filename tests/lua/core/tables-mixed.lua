-- Tables that are neither lists nor have text keys alone, many times over: each is read once on its way to a builtin. Reading
-- every level twice would take years.
global assert, json, log, pcall, yaml

local deep = { 1 }
for _ = 1, 150 do
  deep = { deep, x = 1 }
end
assert.contains(yaml.encode(deep), "x: 1")
assert.contains(json.encode(deep), '"x":1')
log.debug("deep", deep)
assert.eq(pcall(assert.eq, deep, {}), false)

-- A list of tables stays one, whether it is in the table's array part or not.
local list = {}
for at = 10, 1, -1 do
  list[at] = { at }
end
assert.eq(json.encode(yaml.parse(yaml.encode(list))), json.encode(list))
assert.eq(json.encode(yaml.parse(yaml.encode({ [1] = { "a" }, x = { "b" } }))), '{"1":["a"],"x":["b"]}')
