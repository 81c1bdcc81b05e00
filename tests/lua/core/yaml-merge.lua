global assert, yaml

local parsed = yaml.parse([[
base: &base {a: 1, b: 1}
other: &other {b: 2, c: 2}
one:
  <<: *base
  a: 3
many:
  <<: [*other, *base]
]])
assert.eq(parsed.one, { a = 3, b = 1 })
assert.eq(parsed.many, { a = 1, b = 2, c = 2 })
