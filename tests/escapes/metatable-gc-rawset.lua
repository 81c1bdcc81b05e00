-- A finalizer that is put in later does not count, and a metatable's own is not asked.
local meta = setmetatable({}, { __index = function() return function() while true do end end end })
local value = setmetatable({}, meta)
rawset(meta, "__gc", function() while true do end end)
value = nil
for _ = 1, 100000 do local _ = {} end
print("held")
