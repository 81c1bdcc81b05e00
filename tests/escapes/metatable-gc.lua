-- Finalizers run where nothing can stop them.
assert(not pcall(setmetatable, {}, { __gc = function() while true do end end }))
assert(not pcall(setmetatable, {}, { __gc = true }))
local late = setmetatable({}, {})
getmetatable(late).__gc = function() while true do end end
late = nil
for _ = 1, 100000 do local _ = {} end
print("held")
