-- exit: 1
-- error: error-traceback.lua:6: deep inside
-- error: inner
-- error: outer
global error
local function inner() error("deep inside") end
local function outer() inner() return 1 end
outer()
