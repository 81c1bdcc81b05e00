-- To-be-closed variables run code at odd times; it can be stopped.
-- ends: ran longer than
do local x <close> = setmetatable({}, { __close = function() while true do end end }) end
