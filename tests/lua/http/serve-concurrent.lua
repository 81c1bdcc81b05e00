-- Handlers may wait, and one that does holds up nobody.
global assert, async, http, require, sleep, time

local start <const> = require("server")
local url
local server
url, server = start({
  GET = {
    ["/slow"] = function()
      sleep(0.3)
      return { body = "slow" }
    end,
    ["/fast"] = function() return { body = "fast" } end,
    ["/asks"] = function() return { body = "asked " .. http.get(url .. "/fast").body } end,
  },
})
local began <const> = time()
local slow <const> = async.spawn(function() return http.get(url .. "/slow").body end)
assert.eq(http.get(url .. "/fast").body, "fast")
assert.eq(http.get(url .. "/asks").body, "asked fast")
assert.lt(time() - began, 0.25, "a slow handler held up others")
assert.eq(slow:await(), "slow")

local many <const> = {}
for i = 1, 50 do
  many[i] = function() return http.get(url .. "/slow").body end
end
assert.eq(#async.all(many), 50)
server:cancel()
