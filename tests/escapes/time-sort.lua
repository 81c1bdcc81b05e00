-- A table of any length to sort.
-- ends: ran longer than
table.sort(setmetatable({}, { __len = function() return 1 << 30 end, __index = rawlen }))
