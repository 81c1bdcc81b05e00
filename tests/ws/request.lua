-- What the server sees of headers and subprotocols.
global ws, env, assert

local conn = ws.connect(env.get("WS") .. "/request?a=%20b#fragment", {
  headers = { authorization = "Bearer s3cret", ["x-list"] = { "one", "two" } },
  subprotocols = { "v1" },
})
assert.eq(conn:recv(), "/request?a=%20b")
assert.eq(conn:recv(), "Bearer s3cret")
assert.matches(conn:recv(), "^assay/%d")
assert.eq(conn:recv(), "one, two")
assert.eq(conn:recv(), env.get("WS"):sub(6))
assert.eq(conn:recv(), "v1")
assert.eq(conn:recv(), nil)

conn = ws.connect(env.get("WS") .. "/request", { headers = { Host = "other.example", ["User-Agent"] = "me" } })
conn:recv()
assert.eq(conn:recv(), "none")
assert.eq(conn:recv(), "me")
conn:recv()
assert.eq(conn:recv(), "other.example")
assert.eq(conn:recv(), "none")
