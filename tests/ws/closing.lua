-- How connections end, seen from both sides.
global ws, env, assert, pcall, tostring, ipairs, fs, async, sleep

local function ends(path, count)
  local conn = ws.connect(env.get("WS") .. path)
  for _ = 1, count or 0 do conn:recv() end
  local ok, result = pcall(conn.recv, conn)
  return ok, result, conn
end

for _, case in ipairs({ { "1000,bye", 1000, "bye" }, { "1001,", 1001, "" }, { "1011,broken", 1011, "broken" }, { "4321,own", 4321, "own" } }) do
  local ok, result, conn = ends("/closes?" .. case[1])
  assert.eq({ ok, result, conn.close_code, conn.close_reason }, { true, nil, case[2], case[3] })
  -- And so it stays.
  assert.eq(conn:recv(), nil)
  conn:close()
  local sent, err = pcall(conn.send, conn, "late")
  assert.eq({ sent, err.kind }, { false, "closed" })
end
local ok, result, conn = ends("/closes-without-code")
assert.eq({ ok, result, conn.close_code, conn.close_reason }, { true, nil, 1005, "" })

-- What came before the end is there still.
conn = ws.connect(env.get("WS") .. "/sends-and-closes")
for number = 0, 2 do assert.eq(conn:recv(), tostring(number)) end
assert.eq(conn:recv(), nil)
assert.eq(conn.close_reason, "done")

-- Lost: an error, that of recv and of send, again and again.
conn = ws.connect(env.get("WS") .. "/hangs-up")
assert.eq(conn:recv(), "one")
for _ = 1, 2 do
  local err
  ok, err = pcall(conn.recv, conn)
  assert.eq({ ok, err.kind }, { false, "closed" })
  assert.contains(tostring(err), "ws.Connection:recv: the connection was lost: it ended without a closing handshake (ws://127.0.0.1:")
end
assert.eq(conn.close_code, 1006)
local sent, err = pcall(conn.send, conn, "late")
assert.eq({ sent, err.kind }, { false, "closed" })

conn = ws.connect(env.get("WS") .. "/aborts")
assert.eq(conn:recv(), "one")
conn:send("go")
ok, err = pcall(conn.recv, conn)
assert.eq({ ok, err.kind }, { false, "closed" })
assert.contains(err.message, "the connection was lost: ")

-- By us: the code arrives, and who received meanwhile wakes up.
conn = ws.connect(env.get("WS") .. "/notes")
conn:send("hello")
local waiting = async.spawn(function() return conn:recv() end)
sleep(0.01)
conn:close(4001, "enough")
assert.eq(waiting:await(), nil)
conn:close()
assert.eq(conn:recv(), nil)
ok, err = pcall(conn.send, conn, "late")
assert.eq({ ok, err.kind }, { false, "closed" })
do
  local block <close> = ws.connect(env.get("WS") .. "/notes")
  block:send("block")
end
local notes = env.get("FOLDER") .. "/notes"
while not (fs.exists(notes) and fs.read(notes):find("closed 1000")) do sleep(0.01) end
assert.eq(fs.read(notes), "hello\nclosed 4001 enough\nblock\nclosed 1000 \n")

-- A server that does not answer holds nobody up for longer than the timeout.
conn = ws.connect(env.get("RAW") .. "/never-closes", { timeout = 0.2 })
conn:close()
assert.eq(conn:recv(), nil)
