global assert, fs, ipairs, pcall, table, tostring

local dir = fs.tempdir()
local path = dir .. "/made/on/the/way"

-- Bytes, and parents are made.
local data = "\0\xff\r\n" .. ("x"):rep(100000)
fs.write(path, data)
assert.eq(fs.read(path) == data, true)
fs.append(path, "\xfe")
assert.eq(fs.read(path) == data .. "\xfe", true)

assert.eq(fs.exists(path), true)
assert.eq(fs.exists(path .. "/below"), false)
assert.eq(fs.stat(dir .. "/missing"), nil)
local stat = fs.stat(path)
assert.eq(stat.type, "file")
assert.eq(stat.size, #data + 1)
assert.matches(stat.mode, "^%d%d%d$")
assert.gt(stat.modified, 1.7e9)
assert.eq(fs.stat(dir).type, "directory")
assert.eq(fs.stat(dir).mode, "700")

fs.write(dir .. "/secret", "s", { mode = "600" })
assert.eq(fs.stat(dir .. "/secret").mode, "600")
fs.write(dir .. "/secret", "t")
assert.eq(fs.stat(dir .. "/secret").mode, "600")

fs.mkdir(dir .. "/a/b")
fs.mkdir(dir .. "/a/b")
assert.eq(fs.list(dir), {
  { name = "a", type = "directory" },
  { name = "made", type = "directory" },
  { name = "secret", type = "file" },
})
assert.eq(#fs.list(dir .. "/a/b"), 0)

assert.eq(fs.copy(dir .. "/secret", dir .. "/copy"), 1)
assert.eq(fs.stat(dir .. "/copy").mode, "600")
fs.rename(dir .. "/copy", dir .. "/a/moved.txt")
assert.eq(fs.read(dir .. "/a/moved.txt"), "t")
assert.eq(fs.exists(dir .. "/copy"), false)

assert.eq(fs.glob(dir .. "/**/*.txt"), { dir .. "/a/moved.txt" })
assert.eq(#fs.glob(dir .. "/*.none"), 0)

-- Nothing but what was written is left, no temporary files.
local names = {}
for _, entry in ipairs(fs.list(dir)) do
  names[#names + 1] = entry.name
end
assert.eq(table.concat(names, " "), "a made secret")

local ok, err = pcall(fs.remove, dir)
assert.eq(ok, false)
assert.eq(err.kind, "io")
assert.eq(err.hint, "pass {recursive = true} to remove what is in it")
fs.remove(dir, { recursive = true })
assert.eq(fs.exists(dir), false)

ok, err = pcall(fs.remove, dir)
assert.eq(err.kind, "not_found")
assert.eq(tostring(err), "fs.remove: cannot remove " .. dir .. ": no such file or directory")
