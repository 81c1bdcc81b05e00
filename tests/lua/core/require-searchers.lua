-- `require` asks `package.searchers`, to which libraries add: loaders of LuaRocks, compilers to Lua.
global assert, error, fs, ipairs, package, pcall, require, select, sleep, table, tostring

assert.eq(#package.searchers, 2)
local dir = fs.tempdir()
package.path = dir .. "/?.lua"

local function virtual(name)
  if name:find("^virtual%.") then
    sleep(0.001)
    return function(...) return { ... } end, { from = name }
  end
  return "no virtual module " .. name
end
table.insert(package.searchers, virtual)
local module, data = require("virtual.one")
assert.eq(module, { "virtual.one", { from = "virtual.one" } })
assert.eq(data == module[2], true)
assert.eq(select("#", require("virtual.one")), 1)

-- Before files, too; those that know nothing are passed over.
fs.write(dir .. "/virtual/two.lua", "return 'a file'")
assert.eq(require("virtual.two"), "a file")
package.loaded["virtual.two"] = nil
table.insert(package.searchers, 1, table.remove(package.searchers))
table.insert(package.searchers, 1, function() end)
table.insert(package.searchers, 1, function() return 5 end)
assert.eq(require("virtual.two")[1], "virtual.two")

-- What they said is in the error, as those of older versions wrote it, too.
package.searchers[#package.searchers + 1] = function(name) return "\n\tnothing for " .. name end
local ok, err = pcall(require, "none")
assert.eq(ok, false)
assert.eq(err.kind, "not_found")
assert.contains(
  err.message,
  'require: module "none" not found\n    5\n    no virtual module none\n    no field package.preload[\'none\']\n    no file '
)
assert.contains(err.message, "\n    no file " .. dir .. "/none.lua\n\tnothing for none")
local thrown = {}
package.searchers[1] = function() error(thrown) end
ok, err = pcall(require, "none")
assert.eq(err == thrown, true)

-- One may step aside and require the same.
package.searchers[1] = function(name)
  package.searchers[1] = function() end
  local found = require(name)
  return function() return { found } end
end
fs.write(dir .. "/aside.lua", "return 'aside'")
assert.eq(require("aside"), { "aside" })

-- They are functions like others.
fs.write(dir .. "/one.lua", "return ...")
local files = package.searchers[5]
local loader, file = files("one")
assert.eq({ loader("x"), file }, { "x", dir .. "/one.lua" })
assert.contains(files("none"), "no file " .. dir .. "/none.lua")
assert.eq(package.searchpath("one", package.path), dir .. "/one.lua")
package.preload.made = function(...) return { ... } end
package.searchers = { package.searchers[4] }
module, data = require("made")
assert.eq(module, { "made", ":preload:" })
assert.eq(data, ":preload:")

for _, field in ipairs({ "path", "cpath" }) do
  local before = package[field]
  package[field] = nil
  ok, err = pcall(files, "one")
  assert.contains(tostring(err), "require: package." .. field .. " must be a string")
  package[field] = before
end
package.searchers = nil
ok, err = pcall(require, "none")
assert.contains(tostring(err), "require: package.searchers must be a table")
fs.remove(dir, { recursive = true })
