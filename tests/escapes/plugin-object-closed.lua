-- A closed object must stay closed, however it is called.
local client = http.client()
local get = client.get
client:close()
client:close()
assert(not pcall(get, client, "http://example.invalid/"))
assert(not pcall(client.get, client, "http://example.invalid/"))
print("held")
