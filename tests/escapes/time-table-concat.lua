-- Joining empty texts for ever.
-- ends: ran longer than
table.concat(setmetatable({}, { __index = function() return "" end }), "", 1, 1 << 60)
