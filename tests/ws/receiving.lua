-- Timeouts lose nothing; one coroutine receives at a time; pings are answered meanwhile.
global ws, env, assert, pcall, async, sleep

local conn = ws.connect(env.get("WS") .. "/late")
local ok, err = pcall(conn.recv, conn, 0.02)
assert.eq({ ok, err.kind }, { false, "timeout" })
assert.contains(err.message, "no message within 0.02 s")
ok, err = pcall(conn.recv, conn, 0)
assert.eq({ ok, err.kind }, { false, "timeout" })
conn:send("now")
assert.eq(conn:recv(10), "late")

-- Given up from outside: what comes then is for who asks next.
local handle = async.spawn(function() return conn:recv() end)
sleep(0.01)
ok, err = pcall(conn.recv, conn)
assert.eq({ ok, err.kind }, { false, "busy" })
handle:cancel()
sleep(0.01)
conn:send("more")
assert.eq(conn:recv(), nil)

conn = ws.connect(env.get("WS") .. "/pings")
-- Until the server has its pongs nothing comes, and nobody asks.
while true do
  local came, message = pcall(conn.recv, conn, 0)
  if came then
    assert.eq(message, "pongs came")
    break
  end
  sleep(0.01)
end
