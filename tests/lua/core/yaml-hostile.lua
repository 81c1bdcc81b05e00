global assert, pcall, table, yaml

local function fails(text, with)
  local ok, err = pcall(yaml.parse, text)
  assert.eq(ok, false)
  assert.eq(err.kind, "syntax")
  assert.contains(err.message, with)
end

-- A billion laughs.
local lines = { "l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]" }
for level = 1, 12 do
  lines[#lines + 1] = ("l%d: &l%d [%s]"):format(level, level, ("*l" .. level - 1 .. ", "):rep(9))
end
fails(table.concat(lines, "\n"), "aliases repeat more than 16 MiB")

fails("a: &a [*a]", "an alias inside of what it repeats")
fails(("["):rep(100000), "line 1")
fails(("- "):rep(100000), "line 1")
fails(("{a: "):rep(100000), "line 1")
fails("a\0b", "line 1")

local ok, err = pcall(yaml.parse, "a: \xff")
assert.eq(err.kind, "argument")
