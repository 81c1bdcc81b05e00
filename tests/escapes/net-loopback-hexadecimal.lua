-- An address in hexadecimal.
local url = ("http://0x7f000001:PORT/"):gsub("PORT", arg[2])
local ok, err = pcall(http.get, url, { timeout = 2 })
assert(not ok and tostring(err):find("not allowed", 1, true), tostring(err))
print("held")
