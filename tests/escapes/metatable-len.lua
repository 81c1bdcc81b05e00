-- A length that lies.
-- ends: ran longer than
table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, 1)
