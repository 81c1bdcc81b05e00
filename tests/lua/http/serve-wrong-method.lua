-- HEAD works where GET does; a wrong method is 405 with Allow; an unknown path is 404.
global assert, http, require

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = { ["/x"] = function() return { body = "12345", headers = { ["X-Method"] = "get" } } end },
  PUT = { ["/x"] = function() return {} end },
  POST = { ["/p"] = function() return {} end },
})
local head <const> = http.head(url .. "/x")
assert.eq(head.status, 200)
assert.eq(head.body, "")
assert.eq(head.headers["content-length"], "5")
assert.eq(head.headers["x-method"], "get")
local response = http.delete(url .. "/x")
assert.eq(response.status, 405)
assert.eq(response.headers.allow, "GET, HEAD, PUT")
assert.eq(http.get(url .. "/p").headers.allow, "POST")
assert.eq(http.head(url .. "/p").status, 405)
response = http.get(url .. "/nothing")
assert.eq(response.status, 404)
assert.eq(response.headers.allow, nil)
server:cancel()
