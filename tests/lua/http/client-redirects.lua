-- Another origin sees none of the caller's headers; following can be turned off per call and client.
global assert, http, ipairs, pcall, require

local start <const> = require("server")
local seen
local other <const>, other_server <const> = start({
  GET = {
    ["/"] = function(req)
      seen = req
      return { body = "there" }
    end,
  },
})
local url <const>, server <const> = start({
  GET = {
    ["/away"] = function() return { status = 302, headers = { Location = other .. "/" } } end,
    ["/here"] = function() return { status = 302, headers = { Location = "/target" } } end,
    ["/target"] = function(req) return { body = req.headers["x-vault-token"] or "none" } end,
    ["/loop"] = function() return { status = 302, headers = { Location = "/loop" } } end,
  },
})
local client <const> = http.client({ headers = { ["X-Client"] = "c" } })
local secrets <const> = { ["X-Vault-Token"] = "s.1", Authorization = "Bearer b", Cookie = "c=1" }

local response = client:get(url .. "/away", { headers = secrets })
assert.eq(response.body, "there")
assert.eq(response.url, other .. "/")
for _, name in ipairs({ "x-vault-token", "authorization", "cookie", "x-client" }) do
  assert.eq(seen.headers[name], nil, name)
end
assert.contains(seen.headers["user-agent"], "assay/")
assert.eq(client:get(url .. "/here", { headers = secrets }).body, "s.1")

assert.eq(client:get(url .. "/here", { follow_redirects = false }).status, 302)
assert.eq(http.client({ follow_redirects = false }):get(url .. "/here").headers.location, "/target")

local ok, err = pcall(http.get, url .. "/loop", { max_redirects = 3 })
assert.eq(ok, false)
assert.eq(err.kind, "redirect")
assert.eq(err.status, 302)
other_server:cancel()
server:cancel()
