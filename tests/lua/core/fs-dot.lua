-- A folder by `.` or `..` is refused before anything in it is gone.
global assert, fs, ipairs, pcall

local dir = fs.tempdir()
fs.write(dir .. "/a/b/file", "kept")
for _, path in ipairs({ "/a/.", "/a/./", "/a/b/..", "/a/b/../" }) do
  local ok, err = pcall(fs.remove, dir .. path, { recursive = true })
  assert.eq(ok, false)
  assert.eq(err.kind, "argument")
  assert.contains(err.message, path .. ": a path that ends in . or .. has no name")
end
assert.eq(fs.read(dir .. "/a/b/file"), "kept")
-- Names that only look like it.
fs.write(dir .. "/a/..b./file", "")
fs.remove(dir .. "/a/..b./", { recursive = true })
fs.remove(dir .. "/a/../a", { recursive = true })
assert.eq(#fs.list(dir), 0)
fs.remove(dir, { recursive = true })
