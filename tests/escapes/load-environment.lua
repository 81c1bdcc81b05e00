-- A chunk loaded into a fresh environment has nothing, not everything.
local chunk = load("return io, os, require, _G", "=x", "t", {})
local a, b, c, d = chunk()
assert(a == nil and b == nil and c == nil and d == nil)
assert(load("return io")() == nil)
print("held")
