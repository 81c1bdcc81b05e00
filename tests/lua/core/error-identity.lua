global assert, error, pcall, print, setmetatable, tostring, xpcall

-- Error values survive `pcall` as they were thrown.
local function survives(value)
  local ok, err = pcall(error, value)
  assert.eq(ok, false)
  assert(err == value)
end
survives({})
survives(setmetatable({ code = 42 }, { __tostring = function() return "mine" end }))
survives(42)
survives(false)
survives(print)
local ok, err = pcall(error, "text", 0)
assert.eq(err, "text")

-- A builtin's error: kind, message, source, one readable line.
global fs
ok, err = pcall(fs.read, "/nonexistent")
assert.eq(err.kind, "not_found")
assert.eq(tostring(err), "fs.read: cannot read /nonexistent: no such file or directory")
ok, err = xpcall(fs.read, function(failure) return { wrapped = failure } end, "/nonexistent")
assert.eq(err.wrapped.kind, "not_found")
ok, err = pcall(function() fs.read("/nonexistent") end)
assert.matches(err.source, "error%-identity%.lua:%d+$")
assert.eq("failed: " .. err, "failed: fs.read: cannot read /nonexistent: no such file or directory")
assert.matches(err .. "\n" .. err, "^fs%.read: .*\nfs%.read: .*$")
-- And again through a level of its own.
local _, again = pcall(function() error(err) end)
assert(again == err)
