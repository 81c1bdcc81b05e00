-- A Host header does not decide where a request goes, and no header may smuggle another.
assert(not pcall(http.get, "http://example.invalid/", { headers = { ["X-A"] = "a\r\nHost: 127.0.0.1" } }))
assert(not pcall(http.get, "http://127.0.0.1:" .. arg[2] .. "/", { headers = { Host = "example.com" } }))
print("held")
