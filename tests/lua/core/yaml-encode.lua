global assert, yaml

local value = {
  text = "plain",
  words = { "yes", "No", "null", "1", "1.5", "0644", "2026-01-31", "12:30", "", " a", "a: b", "#x", "-" },
  script = "one\n  two\n",
  nested = { { name = "a", args = { 1, 2.0, true } }, { { "x" } } },
  bytes = "\0\xff",
}
local text = yaml.encode(value)
assert.eq(yaml.parse(text), value)
assert.contains(text, "script: |\n  one\n    two\n")
assert.contains(text, '  - "yes"\n  - "No"\n  - "null"\n  - "1"\n')
-- Sorted, so the same always.
assert.matches(text, "^bytes: .*\nnested:\n.*\nscript: .*\ntext: plain\nwords:\n")
assert.eq(yaml.encode({ b = 1, a = 2 }), "a: 2\nb: 1\n")
assert.eq(yaml.encode({}), "{}\n")
