-- Odd results are errors, or what they are.
-- error: a level that is none
-- error: line break
global assert, misbehaving, pcall, tostring

local ok, err = pcall(misbehaving.unknown_tag)
assert.eq(ok, false)
assert.contains(tostring(err), "4096")
assert.eq(#misbehaving.deep(150), 1)
ok, err = pcall(misbehaving.deep, 201)
assert.eq(err.kind, "depth")
ok, err = pcall(misbehaving.deep_raw, 100000)
assert.eq(ok, false)
assert.contains(tostring(err), "deep")
ok, err = pcall(misbehaving.says_nothing)
assert.eq(ok, false)
assert.contains(tostring(err), "misbehaving.says_nothing")
misbehaving.logs_oddly()
