-- Misuse, found before anything is sent.
global ws, env, assert, pcall, ipairs

local conn = ws.connect(env.get("WS") .. "/echo")
for _, bad in ipairs({ 0, 999, 1004, 1005, 1006, 1015, 2000, 65535 }) do
  local ok, err = pcall(conn.close, conn, bad)
  assert.eq({ ok, err.kind }, { false, "argument" }, bad)
end
for _, case in ipairs({
  { "no code to close with", conn.close, 1005 },
  { "at most 123 bytes", conn.close, 1000, ("x"):rep(124) },
  { "a text must be UTF-8", conn.send, "\xff" },
  { "expected string", conn.send },
  { "expected string", conn.send_binary, {} },
  { "seconds above 0", conn.recv, -1 },
  { "seconds above 0", conn.recv, 0 / 0 },
}) do
  local ok, err = pcall(case[2], conn, case[3], case[4])
  assert.eq({ ok, err.kind }, { false, "argument" })
  assert.contains(err.message, case[1])
end
assert.raises(function() ws.send("no connection", "x") end, "expected ws.Connection")
-- It is as good as before.
conn:send("still here")
assert.eq(conn:recv(), "still here")
