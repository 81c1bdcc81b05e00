-- What require remembers holds the libraries.
local ok = pcall(function() return package.loaded.os.execute("true") end)
assert(not ok)
print("held")
