global assert, ipairs, pcall, toml, yaml

local cycle = {}
cycle.cycle = cycle
local list = {}
list[1] = list
local deep = {}
for _ = 1, 100000 do
  deep = { deep }
end
for _, encode in ipairs({ yaml.encode, toml.encode }) do
  for _, value in ipairs({ cycle, { a = list }, { a = deep } }) do
    local ok, err = pcall(encode, value)
    assert.eq(ok, false)
    assert.contains(err.message, "nested deeper than")
  end
end
