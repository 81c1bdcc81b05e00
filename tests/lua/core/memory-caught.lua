global assert, pcall, string, tostring

-- The limit raises an error that a script can catch, and go on.
for _ = 1, 3 do
  local ok, err = pcall(function()
    local parts = {}
    for at = 1, 1e6 do
      parts[at] = string.rep("x", 1024) .. at
    end
  end)
  assert.eq(ok, false)
  assert.contains(tostring(err), "not enough memory")
end
