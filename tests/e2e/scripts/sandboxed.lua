for _, name in ipairs({ "fs", "io", "require", "dofile", "loadfile", "debug", "package", "crypto", "db" }) do
  assert.eq(rawget(_G, name), nil, name)
end
assert.eq(os.execute, nil)
assert.eq(env.get("GIVEN"), "yes")
assert.raises(function() env.get("HOME") end, "not allowed")
assert.eq(env.list(), { GIVEN = "yes" })
