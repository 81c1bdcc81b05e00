-- A server that is quick has to wait, as has a script whose server is slow.
global ws, env, assert, fs, async, sleep, tostring

local conn = ws.connect(env.get("WS") .. "/flood")
sleep(0.05)
for number = 0, 2999 do
  assert.eq(conn:recv():match("^%d+"), tostring(number))
end
assert.eq(conn:recv(), nil)

-- A flood that nobody wants is no reason to wait.
conn = ws.connect(env.get("WS") .. "/flood")
conn:close()

conn = ws.connect(env.get("WS") .. "/slow-reader")
local sent = 0
local chunk = ("x"):rep(1 << 20)
local sender = async.spawn(function()
  for _ = 1, 64 do
    conn:send(chunk)
    sent = sent + 1
  end
  conn:send("end")
end)
-- As much as fits into the sockets, and no more.
local before = -1
while sent ~= before do
  before = sent
  sleep(0.05)
end
assert.lt(sent, 64)
fs.write(env.get("FOLDER") .. "/go", "")
sender:await()
assert.eq(conn:recv(), tostring(64 << 20))
