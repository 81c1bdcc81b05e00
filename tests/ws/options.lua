-- Options are strict, and nothing secret is shown.
global ws, env, assert, pcall, ipairs, tostring

local url = env.get("WS") .. "/echo"
for _, case in ipairs({
  { "expected a URL of ws or wss, got `http:`", "http://host/" },
  { "expected a URL with ws:// or wss://", "/path" },
  { "not a URL", "ws://" },
  { "not a URL", "ws://a b/" },
  { "the URL holds a user or a password", "ws://me:secret@host/" },
  { "unknown option `header`", url, { header = {} } },
  { "option `timeout`: expected seconds above 0", url, { timeout = 0 } },
  { "option `timeout`: expected seconds above 0", url, { timeout = 0 / 0 } },
  { "option `timeout`", url, { timeout = "soon" } },
  { "option `max_message`", url, { max_message = -1 } },
  { "`a b`: not a header's name", url, { headers = { ["a b"] = "x" } } },
  { "`a`: the value holds a line break", url, { headers = { a = "secret\r\nb: c" } } },
  { "`a`: expected a string or a list of strings", url, { headers = { a = true } } },
  { "`Upgrade`: follows from the protocol", url, { headers = { Upgrade = "x" } } },
  { "`sec-websocket-protocol`: follows from the protocol", url, { headers = { ["sec-websocket-protocol"] = "x" } } },
  { "option `subprotocols`: \"a,b\" is no subprotocol's name", url, { subprotocols = { "a,b" } } },
  { "option `client_cert` is missing", url, { client_key = "x" } },
  { "option `ca_cert`: ", url, { ca_cert = "/nowhere.pem" } },
}) do
  local ok, err = pcall(ws.connect, case[2], case[3])
  assert.eq({ ok, err.kind }, { false, "argument" }, case[1])
  assert.contains(tostring(err), case[1])
  assert.eq(tostring(err):find("secret"), nil)
end
local _, err = pcall(ws.connect, url, { header = {} })
assert.eq(err.hint, "did you mean `headers`?")
_, err = pcall(ws.connect, "https://host/")
assert.eq(err.hint, "wss:// is the WebSocket of https://")
