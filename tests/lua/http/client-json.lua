global assert, http, json, math, pairs, pcall, print, require, tostring

local start <const> = require("server")
local url <const>, server <const> = start({
  POST = { ["/"] = function(req) return { body = req.body, headers = { ["Content-Type"] = "application/json" } } end },
})
local function echo(body, opts)
  return http.post(url .. "/", body):json(opts)
end

-- Empty lists stay lists on the way back, explicit nulls go out, keys are sorted.
assert.eq(http.post(url .. "/", echo('{"list":[],"map":{}}')).body, '{"list":[],"map":{}}')
assert.eq(http.post(url .. "/", { b = json.null, a = json.array() }).body, '{"a":[],"b":null}')
assert.eq(echo('{"a":null,"b":1}'), { b = 1 })
assert.eq(echo('{"a":null}', { null = true }).a == json.null, true)
-- Integers are exact or refused.
assert.eq(echo("[9223372036854775807,-9223372036854775808]"), { 9223372036854775807, math.mininteger })
local ok, err = pcall(echo, '{"n":9223372036854775808}')
assert.eq(ok, false)
assert.eq(err.kind, "json")
assert.contains(tostring(err), "the integer 9223372036854775808 does not fit a Lua integer")
ok, err = pcall(echo, "{nonsense")
assert.contains(tostring(err), "the body is not JSON: ")
-- What JSON cannot hold is named.
local loop = {}
loop.loop = loop
for value, what in pairs({
  [{ a = { 0 / 0 } }] = "`a.1`",
  [{ a = print }] = "a function at `a`",
  [{ [1] = "x", y = 2 }] = "the key 1",
  [loop] = "nested deeper",
}) do
  ok, err = pcall(http.post, url .. "/", value)
  assert.eq(ok, false, what)
  assert.contains(tostring(err), what)
end
server:cancel()
