-- An object of one class where another is expected.
local client = http.client()
assert(not pcall(http.get, client))
assert(not pcall(http.request, client))
assert(not pcall(json.encode, client))
pcall(setmetatable, client, {})
print("held")
