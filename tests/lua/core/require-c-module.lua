-- Native code enters as plugins only; a C module is refused by its name.
global assert, fs, ipairs, package, pcall, require

local dir = fs.tempdir()
fs.write(dir .. "/clib/core.so", "\x7fELF")
local cases = { { dir .. "/?.lua", "" }, { "", dir .. "/?.so" } }
for _, case in ipairs(cases) do
  package.path, package.cpath = case[1], case[2]
  local ok, err = pcall(require, "clib.core")
  assert.eq(ok, false)
  assert.eq(err.kind, "not_found")
  assert.contains(err.message, dir .. "/clib/core.so is a C module: only plugins are native code here")
end
assert.eq({ package.loadlib(dir .. "/clib/core.so", "*") }, { nil, "C libraries are not loaded, only plugins", "absent" })
fs.remove(dir, { recursive = true })
