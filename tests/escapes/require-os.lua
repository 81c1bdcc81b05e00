-- require("os") answered with the whole library in another runtime.
assert(not pcall(function() return require("os") end))
assert(not pcall(load, nil))
print("held")
