-- What a handler gets.
global assert, http, require

local start <const> = require("server")
local seen
local url <const>, server <const> = start({
  POST = {
    ["/a b/:x"] = function(req)
      seen = req
      return { status = 204 }
    end,
  },
})
local response <const> = http.post(url .. "/a%20b/c%25?q=1%202&q=x+y&z", { n = 1 }, { headers = { ["X-Many"] = { "1", "2" } } })
assert.eq(response.status, 204)
assert.eq(response.body, "")
assert.eq(response.headers["content-type"], nil)
assert.eq(seen.method, "POST")
assert.eq(seen.path, "/a%20b/c%25")
assert.eq(seen.query, "q=1%202&q=x+y&z")
assert.eq(seen.params, { q = { "1 2", "x y" }, z = "" })
assert.eq(seen.path_params, { x = "c%" })
assert.eq(seen.headers["x-many"], "1, 2")
assert.eq(seen.headers["content-type"], "application/json")
assert.eq(seen.body, '{"n":1}')
assert.eq(seen:json(), { n = 1 })
assert.matches(seen.peer, "^127%.0%.0%.1:%d+$")
server:cancel()
