-- http.download writes files.
assert(not pcall(http.download, "http://example.invalid/", arg[1] .. "/outside/file"))
print("held")
