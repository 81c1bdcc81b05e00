-- Cancelling the coroutine that serves ends the listener and every connection at once.
global assert, async, http, pcall, require, setmetatable, sleep

local start <const> = require("server")
local entered, left = false, false
local url <const>, server <const> = start({
  GET = {
    ["/"] = function() return { body = "ok" } end,
    ["/slow"] = function()
      local guard <close> = setmetatable({}, { __close = function() left = true end })
      entered = true
      sleep(30)
      return {}
    end,
  },
})
assert.eq(http.get(url .. "/").body, "ok")
local pending <const> = async.spawn(function()
  local ok, err = pcall(http.get, url .. "/slow")
  return ok, err.kind
end)
while not entered do
  sleep(0.001)
end
server:cancel()
local ok, kind = pending:await()
assert.eq(ok, false)
assert.eq(kind, "response")
assert.eq(left, true, "the handler was cancelled")
-- Neither a new connection nor the idle one from before is served.
ok, kind = pcall(http.get, url .. "/")
assert.eq(ok, false)
assert.eq(kind.kind, "connect")
