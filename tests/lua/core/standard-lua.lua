global assert, io, load, math, os, string, table, utf8, debug, package, require, select
global fs, type, _VERSION, collectgarbage, dofile

-- Standard Lua stays standard for trusted scripts: third-party libraries must just run.
assert.eq(_VERSION, "Lua 5.5")
assert.eq(type(os.getenv("PATH")), "string")
assert.matches(os.date("!%Y-%m-%dT%H:%M:%SZ", 0), "^1970%-01%-01T00:00:00Z$")
assert.gt(os.time(), 1.7e9)
assert.gt(os.clock(), 0)
assert.eq(load("return 1 + 1")(), 2)
assert.eq(load(function() return nil end) ~= nil, true)
local dir = fs.tempdir()
local path = dir .. "/file"
local file = io.open(path, "wb")
file:write("one\ntwo\n", 3)
file:close()
local lines = {}
for line in io.lines(path) do
  lines[#lines + 1] = line
end
assert.eq(lines, { "one", "two", "3" })
fs.write(dir .. "/chunk.lua", "return ...")
assert.eq(type(dofile), "function")
assert.eq(os.rename(path, path .. "2"), true)
assert.eq(os.remove(path .. "2"), true)
local missing, why, code = io.open(path)
assert.eq(missing, nil)
assert.contains(why, "No such file")
assert.eq(code, 2)
assert.eq(string.format("%5.2f|%q", 1.5, "a\n"), ' 1.50|"a\\\n"')
assert.eq(utf8.len("é🦀"), 2)
assert.eq(table.concat({ 1, 2 }, ","), "1,2")
assert.eq(math.tointeger(3.0), 3)
assert.eq(type(debug.traceback()), "string")
assert.eq(type(package.loaded), "table")
assert.eq(require("string") == string, true)
assert.eq(select("#", table.unpack({ 1, nil, 3 }, 1, 3)), 3)
assert.eq(string.pack("<i4", 1), "\1\0\0\0")
assert.eq(collectgarbage("count") > 0, true)
-- No C modules.
assert.eq(package.cpath, "")
fs.remove(dir, { recursive = true })
