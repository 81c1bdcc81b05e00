-- An address in octal.
local url = ("http://0177.0.0.1:PORT/"):gsub("PORT", arg[2])
local ok, err = pcall(http.get, url, { timeout = 2 })
assert(not ok and tostring(err):find("not allowed", 1, true), tostring(err))
print("held")
