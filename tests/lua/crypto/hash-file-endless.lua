-- A file is read in pieces, so that a limit ends what has no end.
global assert, async, crypto, pcall

local ok, err = pcall(async.timeout, 0.01, function() return crypto.hash_file("/dev/zero") end)
assert.eq(ok, false)
assert.eq(err.kind, "timeout")
