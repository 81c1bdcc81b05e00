-- What never ends is ended from outside.
global assert, async, ipairs, misbehaving, pcall

for _, name in ipairs { "never_ends", "busy", "panics_when_dropped" } do
  local ok, err = pcall(async.timeout, 0.05, misbehaving[name])
  assert.eq(ok, false, name)
  assert.eq(err.kind, "timeout", name)
end
