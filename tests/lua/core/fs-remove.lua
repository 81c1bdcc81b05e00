-- What `fs.remove` does not remove: a folder by `.` or `..`, of which the system would take all but itself.
global assert, fs, ipairs, os, pcall

local dir = fs.tempdir()
fs.write(dir .. "/a/b/file", "kept")
for _, path in ipairs({ "/a/.", "/a/./", "/a/b/..", "/a/b/../" }) do
  local ok, err = pcall(fs.remove, dir .. path, { recursive = true })
  assert.eq(ok, false)
  assert.eq(err.kind, "argument")
  assert.contains(err.message, "a path that ends in . or .. has no name")
end
assert.eq(fs.read(dir .. "/a/b/file"), "kept")
-- Names that only look like it.
fs.write(dir .. "/a/..b./file", "")
fs.remove(dir .. "/a/..b./", { recursive = true })
fs.remove(dir .. "/a/../a", { recursive = true })
assert.eq(#fs.list(dir), 0)
-- A link is removed, not what is behind it.
fs.write(dir .. "/folder/file", "kept")
for _, path in ipairs({ "/link", "/link/", "/link//" }) do
  os.execute("ln -s folder " .. dir .. "/link")
  fs.remove(dir .. path, { recursive = true })
  assert.eq(fs.exists(dir .. "/link"), false)
  assert.eq(fs.read(dir .. "/folder/file"), "kept")
end
fs.remove(dir .. "/folder//", { recursive = true })
assert.eq(#fs.list(dir), 0)
fs.remove(dir, { recursive = true })
