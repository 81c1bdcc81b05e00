-- error: nobody awaited it
-- error: lost in a task
-- error: async-unawaited.lua:7
-- stdout: end
global async, error, print, sleep

async.spawn(function() error("lost in a task") end)
sleep(0.05)
print("end")
