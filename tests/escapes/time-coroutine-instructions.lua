-- args: --instruction-limit=200000
-- Coroutines that end before anybody counts.
-- ends: instructions
while true do coroutine.wrap(function() end)() end
