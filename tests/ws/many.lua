-- Many at once, and none of them is closed: the script ends.
global ws, env, assert, async, tostring

local tasks = {}
for number = 1, 50 do
  tasks[number] = function()
    local conn = ws.connect(env.get("WS") .. "/echo")
    for message = 1, 20 do
      conn:send(number .. " " .. message)
      assert.eq(conn:recv(), number .. " " .. message)
    end
    return conn
  end
end
async.all(tasks)
