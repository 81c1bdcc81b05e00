-- args: --allow-net=127.0.0.1:1
-- A host is allowed on one port, not on the others.
local ok, err = pcall(http.get, "http://127.0.0.1:" .. arg[2] .. "/")
assert(not ok and tostring(err):find("not allowed", 1, true))
print("held")
