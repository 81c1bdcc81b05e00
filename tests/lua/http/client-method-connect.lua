-- The errors of a client's methods carry their name, kind and no secrets.
global assert, http, pcall, tostring

local client <const> = http.client({ base_url = "http://user:password@127.0.0.1:1/", headers = { ["X-Token"] = "t" } })
local ok, err = pcall(client.get, client, "/v1/x?token=secret")
assert.eq(ok, false)
assert.eq(err.kind, "connect")
assert.contains(tostring(err), "connect: connection refused (http://127.0.0.1:1/v1/x?...)")

client:close()
ok, err = pcall(client.get, client, "/")
assert.eq(err.kind, "closed")
