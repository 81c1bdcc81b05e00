-- A string of ten gigabytes.
assert(not pcall(string.rep, "x", 10000000000))
assert(not pcall(string.rep, "x", math.maxinteger))
assert(not pcall(string.format, "%99999999999d", 1))
print("held")
