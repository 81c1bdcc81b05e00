-- What a handler may return.
global assert, http, json, pairs, require

local start <const> = require("server")
local replies <const> = {
  empty = {},
  text = { body = "a\0\xff" },
  html = { body = "<p>", headers = { ["Content-Type"] = "text/html" } },
  json = { status = 201, json = { b = json.null, a = {} } },
  null = { json = json.null },
  merge = { json = {}, headers = { ["content-type"] = "application/merge-patch+json" } },
  many = { headers = { ["X-Many"] = { "1", 2 } } },
  -- The headers of a response that is passed on frame another body.
  passed = { body = "1234", headers = { ["content-length"] = "9", ["transfer-encoding"] = "chunked", connection = "close" } },
}
local url <const>, server <const> = start({
  GET = { ["/:name"] = function(req) return replies[req.path_params.name] end },
})
local function get(name)
  return http.get(url .. "/" .. name)
end
assert.eq(get("empty").status, 200)
assert.eq(get("empty").body, "")
assert.eq(get("text").body, "a\0\xff")
assert.eq(get("text").headers["content-type"], "text/plain; charset=utf-8")
assert.eq(get("html"):header_values("content-type"), { "text/html" })
assert.eq(get("json").status, 201)
assert.eq(get("json").body, '{"a":{},"b":null}')
assert.eq(get("json").headers["content-type"], "application/json")
assert.eq(get("null").body, "null")
assert.eq(get("merge"):header_values("content-type"), { "application/merge-patch+json" })
assert.eq(get("many"):header_values("x-many"), { "1", "2" })
assert.eq(get("passed").body, "1234")
assert.eq(get("passed").headers["content-length"], "4")
server:cancel()
