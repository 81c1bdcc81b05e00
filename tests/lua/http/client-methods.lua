-- All methods exist, say who they are, and DELETE may carry a body.
global assert, http, ipairs, require

local start <const> = require("server")
local seen
local url <const>, server <const> = start({
  ["*"] = {
    ["/"] = function(req)
      seen = req
      return { status = 200 }
    end,
  },
})
for _, name in ipairs({ "get", "head", "options", "delete" }) do
  http[name](url .. "/")
  assert.eq(seen.method, name:upper())
  assert.matches(seen.headers["user-agent"], "^assay/%d+%.%d+%.%d+$")
end
for _, name in ipairs({ "post", "put", "patch" }) do
  http[name](url .. "/", "body")
  assert.eq(seen.method, name:upper())
  assert.eq(seen.body, "body")
end
http.delete(url .. "/", { body = { propagationPolicy = "Foreground" } })
assert.eq(seen:json(), { propagationPolicy = "Foreground" })
http.request({ method = "REPORT", url = url .. "/", headers = { ["User-Agent"] = "mine" } })
assert.eq(seen.method, "REPORT")
assert.eq(seen.headers["user-agent"], "mine")
server:cancel()
