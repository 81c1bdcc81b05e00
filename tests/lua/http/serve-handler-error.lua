-- error: the handler of GET /raises failed:
-- error: the secret in the message
-- error: serve-handler-error.lua
-- A failing handler is logged with its traceback, and the client learns nothing of it.
global assert, error, http, ipairs, require

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = {
    ["/raises"] = function() error("the secret in the message") end,
    ["/table"] = function() error({ code = 42 }) end,
    ["/nil"] = function() return nil end,
    ["/string"] = function() return "text" end,
    ["/unknown"] = function() return { stats = 200 } end,
    ["/status"] = function() return { status = "200" } end,
    ["/early"] = function() return { status = 101 } end,
    ["/both"] = function() return { body = "a", json = {} } end,
    ["/function"] = function() return { json = { error } } end,
    ["/header"] = function() return { headers = { ["X-A"] = "a\nb" } } end,
    ["/works"] = function() return { body = "still" } end,
  },
})
local failing <const> =
  { "/raises", "/table", "/nil", "/string", "/unknown", "/status", "/early", "/both", "/function", "/header" }
for _, path in ipairs(failing) do
  local response = http.get(url .. path)
  assert.eq(response.status, 500, path)
  assert.eq(response.body, "internal server error\n", path)
end
assert.eq(http.get(url .. "/works").body, "still")
server:cancel()
