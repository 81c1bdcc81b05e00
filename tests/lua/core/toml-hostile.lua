global assert, pcall, toml

local ok, err = pcall(toml.parse, "a = " .. ("["):rep(100000))
assert.eq(ok, false)
assert.eq(err.kind, "syntax")
ok, err = pcall(toml.parse, "a = 9223372036854775808")
assert.eq(ok, false)
assert.contains(err.message, "line 1, column 5: the integer 9223372036854775808 does not fit 64 bits")
ok, err = pcall(toml.encode, { 1, 2 })
assert.eq(ok, false)
assert.contains(err.message, "argument 1: expected a table with text keys, got a list")
