-- exit: 1
-- error: sleep: argument 1: expected seconds, got a negative number, -1
-- error: sleep-negative.lua:6
global sleep

sleep(-1)
