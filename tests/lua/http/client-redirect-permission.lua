-- args: --deny-net=127.0.0.2 --deny-net=127.0.0.1:1 --deny-net=[::1]:1 --deny-net=unix:/no/such/socket
-- Where a redirect or a proxy leads is asked for as the first hop is, by name and by address.
global assert, http, pcall, require, tostring

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = {
    ["/away"] = function() return { status = 302, headers = { Location = "http://127.0.0.2:1/" } } end,
    ["/named"] = function() return { status = 302, headers = { Location = "http://localhost:1/" } } end,
    ["/here"] = function() return { body = "here" } end,
  },
})
assert.eq(http.get(url .. "/here").body, "here")
local function denied(what, client, path)
  local ok, err = pcall(client.get, client, path)
  assert.eq(ok, false)
  assert.eq(err.kind, "permission")
  assert.contains(tostring(err), "not allowed: net ")
  assert.contains(tostring(err), what)
end
denied("127.0.0.2:1", http.client({}), url .. "/away")
denied(":1 (localhost)", http.client({}), url .. "/named")
denied("127.0.0.2:1", http.client({ proxy = "http://127.0.0.2:1" }), url .. "/here")
denied("unix:/no/such/socket", http.client({ unix_socket = "/no/such/socket" }), "/")
server:cancel()
