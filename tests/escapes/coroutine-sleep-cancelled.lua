-- A builtin that waits makes whoever resumed it wait, and the time limit ends both.
-- ends: ran longer than
local co = coroutine.create(function() pcall(sleep, 60) end)
while true do pcall(coroutine.resume, co) end
