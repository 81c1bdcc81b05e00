-- A chunk's _ENV may be another table than the one that was cleaned.
assert(_ENV == _G and _ENV.io == nil)
local function f() return _ENV end
assert(f() == _G)
print("held")
