-- Handlers may wait, and one that does holds up nobody.
global assert, async, http, require, sleep

local start <const> = require("server")
local url, released
local waiting = 0
local server
url, server = start({
  GET = {
    ["/slow"] = function()
      waiting = waiting + 1
      while not released do
        sleep(0.001)
      end
      return { body = "slow" }
    end,
    ["/fast"] = function() return { body = "fast" } end,
    ["/asks"] = function() return { body = "asked " .. http.get(url .. "/fast").body } end,
  },
})
local slow <const> = {}
for i = 1, 20 do
  slow[i] = async.spawn(function() return http.get(url .. "/slow").body end)
end
while waiting < 20 do
  sleep(0.001)
end
assert.eq(http.get(url .. "/fast").body, "fast")
assert.eq(http.get(url .. "/asks").body, "asked fast")
released = true
for i = 1, 20 do
  assert.eq(slow[i]:await(), "slow")
end
server:cancel()
