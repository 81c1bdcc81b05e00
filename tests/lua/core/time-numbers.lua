global assert, ipairs, math, pcall, time

for _, number in ipairs({ 0 / 0, math.huge, -math.huge, 1e300, math.maxinteger, math.mininteger }) do
  local ok, err = pcall(time.rfc3339, number)
  assert.eq(ok, false)
  assert.eq(err.kind, "argument")
end
local ok, err = pcall(time.rfc3339, 0, { digits = 1e9 })
assert.eq(err.kind, "argument")
