-- args: --memory-limit 512M
-- Large messages both ways, and the limit.
global ws, env, assert, pcall, tostring

local size = 70 * 1024 * 1024
local conn = ws.connect(env.get("WS") .. "/large?" .. size, { max_message = 128 << 20 })
local message = conn:recv()
assert.eq(#message, size)
assert.eq(message == ("\x01"):rep(size), true)
conn:send_binary(message)
-- The SHA-256 of what the server got.
assert.eq(conn:recv(), "3b4f2bd817780c43b122076890b9f5064c28a83d685daac6eac1cf0880d6482e")
assert.eq(conn:recv(), nil)

conn = ws.connect(env.get("WS") .. "/large?1001", { max_message = 1000 })
local ok, err = pcall(conn.recv, conn)
assert.eq({ ok, err.kind, err.hint }, { false, "size", "raise the option `max_message`, and --response-limit where that is lower" })
assert.contains(tostring(err), "a message of 1001 bytes, more than may come (1000) (ws://")
conn = ws.connect(env.get("WS") .. "/large?1000", { max_message = 1000 })
assert.eq(#conn:recv(), 1000)
