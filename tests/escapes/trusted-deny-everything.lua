-- trusted
-- args: --deny-net=* --deny-read=* --deny-write=* --deny-env=* --deny-plugin=crypto
-- A star denies all of a kind, sockets in the file system too.
assert(not pcall(fs.read, arg[1] .. "/secret") and not pcall(io.open, arg[1] .. "/secret"))
assert(not pcall(fs.write, arg[1] .. "/outside/new", "x"))
assert(not pcall(env.get, "ESCAPE_SECRET") and next(env.list()) == nil)
assert(not pcall(http.get, "http://127.0.0.1:" .. arg[2] .. "/"))
assert(not pcall(function() return crypto.sha256 end))
local ok, err = pcall(function()
  return http.client({ unix_socket = arg[1] .. "/socket" }):get("http://localhost/", { timeout = 1 })
end)
assert(not ok and err.kind == "permission", err)
print("held")
