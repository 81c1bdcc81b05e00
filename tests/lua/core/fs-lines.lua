global assert, fs, pcall

local dir = fs.tempdir()
local path = dir .. "/lines"
fs.write(path, "one\n\n\xff\r\nlast")

local lines = {}
for line in fs.lines(path) do
  lines[#lines + 1] = line
end
assert.eq(lines, { "one", "", "\xff\r", "last" })

-- Left early.
for line in fs.lines(path) do
  assert.eq(line, "one")
  break
end

-- By hand, and closed.
local iterator = fs.lines(path)
assert.eq(iterator(), "one")
iterator:close()
local ok, err = pcall(iterator)
assert.eq(ok, false)
assert.eq(err.kind, "closed")

do
  local closing <close> = fs.lines(path)
  assert.eq(closing(), "one")
end

fs.write(path, "")
for _ in fs.lines(path) do
  assert(false, "an empty file has no lines")
end
fs.remove(dir, { recursive = true })
