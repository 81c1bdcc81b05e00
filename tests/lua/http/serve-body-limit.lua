global assert, http, require, tostring

local start <const> = require("server")
local called = 0
local url <const>, server <const> = start({
  POST = {
    ["/"] = function(req)
      called = called + 1
      return { body = tostring(#req.body) }
    end,
  },
}, { max_body = 100000 })
assert.eq(http.post(url .. "/", ("x"):rep(100000)).body, "100000")
assert.eq(http.post(url .. "/", ("x"):rep(100001)).status, 413)
assert.eq(called, 1)
server:cancel()
