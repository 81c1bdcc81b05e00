-- A status is not a failure.
global assert, http, ipairs, require, tonumber

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = { ["/:status"] = function(req) return { status = tonumber(req.path_params.status), body = "why" } end },
})
for _, status in ipairs({ 200, 400, 403, 404, 500, 503 }) do
  local response = http.get(url .. "/" .. status)
  assert.eq(response.status, status)
  assert.eq(response.body, "why")
  assert.eq(response.url, url .. "/" .. status)
end
server:cancel()
