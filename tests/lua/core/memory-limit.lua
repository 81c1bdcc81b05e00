-- exit: 1
-- error: not enough memory (the limit is 64
-- hint: --memory-limit
global string

local parts = {}
for at = 1, 1e6 do
  parts[at] = string.rep("x", 1024) .. at
end
