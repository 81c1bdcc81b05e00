global assert, http, pcall, require, tonumber, tostring

local start <const> = require("server")
local url <const>, server <const> = start({})
local port <const> = tonumber(url:match("%d+$"))
local ok, err = pcall(http.serve, port, {}, { host = "127.0.0.1" })
assert.eq(ok, false)
assert.eq(err.kind, "listen")
assert.contains(tostring(err), "http.serve: cannot listen on 127.0.0.1:" .. port .. ": address already in use")
assert.contains(err.hint, "port 0")
server:cancel()
