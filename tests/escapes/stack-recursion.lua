-- Recursion without an end.
local function f() return 1 + f() end
assert(not pcall(f))
local function g() return pcall(g) end
pcall(g)
print("held")
