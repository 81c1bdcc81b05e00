-- error: the handler of GET / failed: took longer than 0.05 s
global assert, http, require, sleep

local start <const> = require("server")
local finished = false
local url <const>, server <const> = start({
  GET = {
    ["/"] = function()
      sleep(0.3)
      finished = true
      return {}
    end,
  },
}, { timeout = 0.05 })
assert.eq(http.get(url .. "/").status, 503)
sleep(0.4)
assert.eq(finished, false, "the handler was cancelled")
server:cancel()
