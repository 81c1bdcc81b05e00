-- Bytecode is made with string.dump.
assert(string.dump == nil and ("").dump == nil)
assert(not pcall(function() return string.dump(function() end) end))
print("held")
