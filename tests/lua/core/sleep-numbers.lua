global assert, ipairs, math, pcall, sleep

for _, number in ipairs({ 0 / 0, math.huge, -math.huge, 1e300, math.maxinteger, math.mininteger, -0.001 }) do
  local ok, err = pcall(sleep, number)
  assert.eq(ok, false)
  assert.eq(err.kind, "argument")
end
local ok, err = pcall(sleep, "soon")
assert.contains(err.message, 'sleep: argument 1: expected number, got string "soon"')
ok, err = pcall(sleep)
assert.contains(err.message, "sleep: argument 1: expected number, got nothing")
