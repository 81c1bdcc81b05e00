-- args: --memory-limit 512M
-- Large messages both ways, and the limit.
global ws, env, assert, pcall, crypto, tostring

local size = 70 * 1024 * 1024
local conn = ws.connect(env.get("WS") .. "/large?" .. size, { max_message = 128 << 20 })
local message = conn:recv()
assert.eq(#message, size)
assert.eq(crypto.hash(message), crypto.hash(("\x01"):rep(size)))
conn:send_binary(message)
assert.eq(conn:recv(), crypto.hash(message))
assert.eq(conn:recv(), nil)

conn = ws.connect(env.get("WS") .. "/large?1001", { max_message = 1000 })
local ok, err = pcall(conn.recv, conn)
assert.eq({ ok, err.kind, err.hint }, { false, "size", "raise the option `max_message`" })
assert.contains(tostring(err), "a message of 1001 bytes, more than `max_message` has (1000) (ws://")
conn = ws.connect(env.get("WS") .. "/large?1000", { max_message = 1000 })
assert.eq(#conn:recv(), 1000)
