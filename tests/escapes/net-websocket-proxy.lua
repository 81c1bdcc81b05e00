-- trusted
-- args: --deny-net=localhost
-- A proxy connects in our place, and has to be allowed itself, by its name.
global ws, pcall, tostring, arg, assert, print
local ok, err = pcall(ws.connect, "ws://127.0.0.2:1/", { proxy = "http://localhost:" .. arg[2], timeout = 2 })
assert(not ok and tostring(err):find("not allowed: net localhost:", 1, true), err)
print("held")
