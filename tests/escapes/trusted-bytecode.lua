-- trusted
-- args: --allow-read=$DIR/allowed
-- Bytecode does what no function that asks can see.
local code = string.dump(function() return 1 end)
assert(not pcall(load, code, "=x", "b"))
assert(load(code) == nil and load(code, "=x", "bt") == nil)
print("held")
