global assert, fs, ipairs, package, pcall, require, tostring

local dir = fs.tempdir()
fs.write(dir .. "/greet.lua", "global require\nreturn { hello = 'hi', name = ... }")
fs.write(dir .. "/deep/er.lua", "return 'deeper'")
fs.write(dir .. "/broken.lua", "return = 1")
fs.write(dir .. "/raises.lua", "global error\nerror({ kind = 'mine' })")
fs.write(dir .. "/waits.lua", "global sleep\nsleep(0.01)\nreturn 'waited'")
fs.write(dir .. "/nothing.lua", "")
package.path = dir .. "/?.lua;" .. package.path

local greet = require("greet")
assert.eq(greet.hello, "hi")
assert.eq(greet.name, "greet")
assert.eq(require("greet") == greet, true)
assert.eq(require("deep.er"), "deeper")
assert.eq(require("waits"), "waited")
assert.eq(require("nothing"), true)

local ok, err = pcall(require, "broken")
assert.eq(ok, false)
assert.contains(tostring(err), "broken.lua:1:")
ok, err = pcall(require, "raises")
assert.eq(err.kind, "mine")
-- A module that failed is tried again.
fs.write(dir .. "/raises.lua", "return 'fixed'")
assert.eq(require("raises"), "fixed")

-- A loop has an end, and a name; waiting is no way out.
fs.write(dir .. "/one.lua", "global require, sleep\nsleep(0.001)\nreturn require('two')")
fs.write(dir .. "/two.lua", "global require\nreturn { one = require('one') }")
ok, err = pcall(require, "one")
assert.eq(err.kind, "loop")
assert.eq(err.message, 'require: module "one" requires itself while it is loaded')
assert.matches(err.source, "two%.lua:2$")
fs.write(dir .. "/two.lua", "return 2")
assert.eq(require("one"), 2)

package.preload["made.up"] = function(name) return { name = name } end
assert.eq(require("made.up").name, "made.up")

-- Names that are none of a library's are `package.path`'s, as in Lua.
assert.eq(require("deep/er"), "deeper")
for _, name in ipairs({ "", "a/b", "../x", "a..b", ".a", "a\0b" }) do
  ok, err = pcall(require, name)
  assert.eq(ok, false)
  assert.eq(err.kind, "not_found")
end
ok, err = pcall(require, {})
assert.contains(tostring(err), "require: argument 1: expected string, got table")
-- Native code enters as plugins only.
assert.eq(package.cpath, "")
fs.remove(dir, { recursive = true })
