global assert, yaml

local parsed = yaml.parse([[
- !Ref name
- !custom {a: 1}
- !!str 12
- !!binary /w==
- !<tag:example.com,2000:x> [1]
]])
assert.eq(parsed, { "name", { a = 1 }, "12", "\xff", { 1 } })
