global assert, http, require

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = { ["/"] = function(req) return { json = { query = req.query, params = req.params } } end },
})
local promql <const> = [[sum(rate(x{a="b", c=~"d+"}[5m])) + 1 & 2 ü]]
local got = http.get(url .. "/?fixed=1", { query = { query = promql, list = { "a", "b c" }, n = 1.5, yes = true } }):json()
assert.eq(got.params, { fixed = "1", query = promql, list = { "a", "b c" }, n = "1.5", yes = "true" })
assert.contains(got.query, "fixed=1&list=a&list=b%20c&n=1.5&query=sum%28rate")
assert.eq(http.get(url .. "/").body, '{"params":{},"query":""}')
server:cancel()
