-- error: async-still-running.lua:6
-- error: still running
-- stdout: end
global async, print, sleep

async.spawn(function() sleep(100) end)
print("end")
