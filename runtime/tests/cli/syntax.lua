local a = 1
local b = 
local c = 3
