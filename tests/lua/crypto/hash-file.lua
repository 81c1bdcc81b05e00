global assert, async, crypto, fs, pcall, tostring

local dir = fs.tempdir()
local path = dir .. "/data"
fs.write(path, ("a"):rep(1000000))
assert.eq(crypto.hash_file(path), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")

-- Two at once.
local hashes = async.all({
  function() return crypto.hash_file(path, "sha1") end,
  function() return crypto.hash_file(path, "md5") end,
})
assert.eq(hashes, { "34aa973cd4c4daa4f61eeb2bdbad27316534016f", "7707d6ae4e027c70eea2a935c2296f21" })

local ok, err = pcall(crypto.hash_file, dir .. "/missing")
assert.eq(ok, false)
assert.eq(err.kind, "io")
assert.contains(tostring(err), "crypto.hash_file: cannot read `" .. dir .. "/missing`: No such file")
