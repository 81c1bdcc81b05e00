-- args: --allow-net=127.0.0.1:$REDIRECTOR
-- A server that is allowed sends us to one that is not.
local ok, err = pcall(http.get, "http://127.0.0.1:" .. arg[3] .. "/", { timeout = 2 })
assert(not ok and tostring(err):find("not allowed", 1, true), tostring(err))
local client = http.client({ base_url = "http://127.0.0.1:" .. arg[3] })
assert(not pcall(client.get, client, "/"))
print("held")
