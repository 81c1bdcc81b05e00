-- A panic in a plugin is an error that says where it was, and the process goes on.
-- error: on another thread
global assert, collectgarbage, ipairs, misbehaving, pcall, tostring

local ok, err = pcall(misbehaving.panics, "boom")
assert.eq(ok, false)
assert.eq(err.kind, "panic")
assert.matches(tostring(err), "^misbehaving%.panics: panicked at .*lib%.rs:%d+.*: boom")
assert.not_nil(err.hint)
for _, name in ipairs { "panics_twice", "panics_in_result", "panics_at_once", "panics_later" } do
  ok, err = pcall(misbehaving[name])
  assert.eq(ok, false, name)
  assert.eq(err.kind, "panic", name)
end
assert.eq(misbehaving.panics_elsewhere(), true)
misbehaving.bomb()
collectgarbage()
collectgarbage()

-- The object that a panic happened in is unusable; others are not.
local broken, whole = misbehaving.fragile(), misbehaving.fragile()
assert.eq(broken:add(), 1)
ok, err = pcall(broken.break_it, broken)
assert.eq(err.kind, "panic")
ok, err = pcall(broken.add, broken)
assert.eq(err.kind, "panic")
assert.contains(tostring(err), "is unusable since a call of it panicked")
assert.eq(whole:add(), 1)
ok, err = pcall(whole.break_later, whole)
assert.eq(err.kind, "panic")
ok, err = pcall(whole.add, whole)
assert.contains(tostring(err), "is unusable")
