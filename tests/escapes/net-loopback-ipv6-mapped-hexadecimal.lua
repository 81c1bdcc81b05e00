-- The same, written otherwise.
local url = ("http://[::ffff:7f00:1]:PORT/"):gsub("PORT", arg[2])
local ok, err = pcall(http.get, url, { timeout = 2 })
assert(not ok and tostring(err):find("not allowed", 1, true), tostring(err))
print("held")
