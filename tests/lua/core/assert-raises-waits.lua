global assert, error, sleep

local err = assert.raises(function()
  sleep(0.01)
  error({ kind = "late", message = "after a wait" })
end, "after a wait")
assert.eq(err.kind, "late")
