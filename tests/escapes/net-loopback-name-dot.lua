-- The same name, fully qualified.
local url = ("http://localhost.:PORT/"):gsub("PORT", arg[2])
local ok, err = pcall(http.get, url, { timeout = 2 })
assert(not ok, tostring(err))
print("held")
