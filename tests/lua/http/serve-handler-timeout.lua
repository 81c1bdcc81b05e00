-- error: the handler of GET / failed: took longer than 0.05 s
global assert, http, require, setmetatable, sleep

local start <const> = require("server")
local cancelled = false
local url <const>, server <const> = start({
  GET = {
    ["/"] = function()
      local guard <close> = setmetatable({}, { __close = function() cancelled = true end })
      sleep(60)
      return {}
    end,
  },
}, { timeout = 0.05 })
assert.eq(http.get(url .. "/").status, 503)
while not cancelled do
  sleep(0.001)
end
server:cancel()
