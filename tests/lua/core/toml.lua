global assert, json, math, toml

local parsed = toml.parse([==[
name = "x"
int = 9223372036854775807
float = 1.0
when = 1979-05-27 07:32:00Z
day = 1979-05-27
list = []

[server]
ports = [80, 443]

[[users]]
name = "a"
]==])
assert.eq(parsed.int, math.maxinteger)
assert.eq(math.type(parsed.float), "float")
-- Never a marker table.
assert.eq(parsed.when, "1979-05-27T07:32:00Z")
assert.eq(parsed.day, "1979-05-27")
assert.eq(json.encode(parsed.list), "[]")
assert.eq(parsed.server.ports, { 80, 443 })
assert.eq(parsed.users, { { name = "a" } })

assert.eq(
  toml.encode({ b = { c = { d = "x" }, z = 1 }, a = 1.0, list = { { k = 1 } } }),
  'a = 1.0\n\n[b]\nz = 1\n\n[b.c]\nd = "x"\n\n[[list]]\nk = 1\n'
)
assert.eq(toml.parse(toml.encode(parsed)), parsed)
assert.eq(toml.encode({}), "")
