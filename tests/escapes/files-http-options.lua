-- Options of http that take paths read files.
local dir = arg[1]
assert(not pcall(http.client, { ca_cert = dir .. "/secret" }))
assert(not pcall(http.client, { ca_cert_file = dir .. "/secret" }))
assert(not pcall(http.client, { client_cert = dir .. "/secret", client_key = dir .. "/secret" }))
assert(not pcall(http.post, "http://example.invalid/", nil, { multipart = { file = { path = dir .. "/secret" } } }))
print("held")
