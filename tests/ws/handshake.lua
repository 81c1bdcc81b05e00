-- What refuses a connection, and how that reads.
global ws, env, assert, pcall, ipairs, tostring

local function fails(url, opts)
  local ok, err = pcall(ws.connect, url, opts)
  assert.eq(ok, false)
  return err
end
local function says(err, kind, text, status)
  assert.eq({ err.kind, err.status }, { kind, status }, tostring(err))
  assert.contains(tostring(err), text)
  assert.eq(tostring(err):find("secret"), nil)
end

local WS, RAW = env.get("WS"), env.get("RAW")
local err = fails(WS .. "/refuses?token=secret")
says(err, "handshake", "ws.connect: handshake: the server answered 401 Unauthorized: a token is missing (" .. WS .. "/refuses?...)", 401)
err = fails(WS .. "/redirects")
says(err, "handshake", "302", 302)
assert.eq(err.hint, "redirects are not followed; it leads to /elsewhere")
says(fails(RAW .. "/ok"), "handshake", "the server answered 200 OK: hello", 200)
says(fails(RAW .. "/two-parts"), "handshake", "503 Service Unavailable: try later", 503)
says(fails(RAW .. "/garbage"), "handshake", "the answer is not HTTP/1.1")
says(fails(RAW .. "/nothing"), "handshake", "the connection was closed before the answer")
says(fails(RAW .. "/bad-accept"), "handshake", "`sec-websocket-accept` does not fit our key")
says(fails(RAW .. "/extension"), "handshake", "the server wants the extension permessage-deflate, which nobody asked for")
says(fails(RAW .. "/protocol"), "handshake", "the server chose the subprotocol other, which was not offered")
says(fails(RAW .. "/protocol", { subprotocols = { "v1" } }), "handshake", "which was not offered")
says(fails(RAW .. "/endless-head"), "handshake", "")
err = fails(RAW .. "/silent", { timeout = 0.05 })
says(err, "timeout", "not connected within 0.05 s")
assert.eq(err.hint, "the option `timeout` is in seconds")
says(fails("ws://127.0.0.1:1/"), "connect", "ws.connect: connect: connection refused (ws://127.0.0.1:1/)")
says(fails("ws://nowhere.invalid/"), "dns", "nowhere.invalid")
says(fails("wss" .. WS:sub(3)), "tls", "tls: ")

-- The server's first message comes with the answer.
local conn = ws.connect(RAW .. "/at-once")
assert.eq(conn:recv(), "hello")
assert.eq(conn:recv(), nil)
-- A server without a subprotocol of ours is fine; the script sees that there is none.
conn = ws.connect(WS .. "/echo", { subprotocols = { "v7" } })
assert.eq(conn.subprotocol, nil)
