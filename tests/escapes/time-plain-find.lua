-- Looking for a long text in a longer one.
-- ends: ran longer than
local text = ("a"):rep(8000000)
while true do text:find(text:sub(1, 4000000) .. "b", 1, true) end
