-- A cloud's metadata service.
local url = ("http://169.254.169.254/latest/meta-data/"):gsub("PORT", arg[2])
local ok, err = pcall(http.get, url, { timeout = 2 })
assert(not ok and tostring(err):find("not allowed", 1, true), tostring(err))
print("held")
