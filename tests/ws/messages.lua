-- Text, bytes, nothing at all, fragments; functions and methods; the fields.
global ws, env, assert, ipairs

local conn = ws.connect(env.get("WS") .. "/echo", { subprotocols = { "v1", "v2" } })
assert.eq(conn.subprotocol, "v2")
assert.eq(conn.close_code, nil)
assert.eq(conn.nonsense, nil)
for _, text in ipairs({ "text", "", "gr\u{fc}n \u{1f600}", ("x"):rep(200000) }) do
  conn:send(text)
  assert.eq(conn:recv(), text)
end
local bytes = "\xff\x00\x80" .. ("\xfe"):rep(70000)
ws.send_binary(conn, bytes)
assert.eq(ws.recv(conn), bytes)
ws.send(conn, "as a function")
assert.eq(ws.recv(conn, 10), "as a function")
ws.close(conn)
assert.eq(conn:recv(), nil)
assert.eq(conn.close_code, 1000)

conn = ws.connect(env.get("WS") .. "/fragments")
assert.eq(conn.subprotocol, nil)
assert.eq(conn:recv(), "in three parts")
assert.eq(conn:recv(), "\x00" .. ("\xff"):rep(70000))
assert.eq(conn:recv(), "")
assert.eq(conn:recv(), nil)
