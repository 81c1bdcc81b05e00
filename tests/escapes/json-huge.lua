-- Documents that take long to read and to write.
-- ends: ran longer than
local text = "[" .. ("1,"):rep(200000) .. "1]"
while true do pcall(function() json.encode(json.parse(text)) end) end
