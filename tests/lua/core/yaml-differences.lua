-- Where a text of the YAML test suite comes to something else: docs/builtins/yaml.md names them.
global assert, pcall, yaml

local function fails(text, with)
  local ok, err = pcall(yaml.parse, text)
  assert.eq(ok, false)
  assert.eq(err.kind, "syntax")
  assert.contains(err.message, with)
end

-- LX3P, SBG9, X38W, V9D5: keys are text.
fails("[flow]: block", "line 1, column 1: a list or map as a key")
fails("{a: [b, c], [d, e]: f}", "line 1, column 13: a list or map as a key")
fails("{ &a [a, &b b]: *b, *a : [c, *b, d]}", "a list or map as a key")
fails("- sun: yellow\n- ? earth: blue\n  : moon: white\n", "a list or map as a key")

-- NKF9, 2JQS: no key is null's, which is one.
assert.eq(yaml.parse("key: value\n: empty key\n"), { key = "value", ["~"] = "empty key" })
fails(": a\n: b\n", "the key `~` for a second time")

-- 9C9N: brackets and braces need no indentation.
assert.eq(yaml.parse("flow: [a,\nb,\nc]\nmap: {\n  a: 1\n}\n"), { flow = { "a", "b", "c" }, map = { a = 1 } })
