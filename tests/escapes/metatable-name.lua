-- A __name that pretends to be a file or an error.
local fake = setmetatable({}, { __name = "FILE*" })
assert(type(tostring(fake)) == "string")
assert(not pcall(http.post, "http://example.invalid/", fake, fake))
print("held")
