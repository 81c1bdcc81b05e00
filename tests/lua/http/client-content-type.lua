-- Exactly one content type goes out, and the caller's wins.
global assert, http, require

local start <const> = require("server")
local url <const>, server <const> = start({
  PATCH = { ["/"] = function(req) return { body = req.headers["content-type"] or "none" } end },
})
assert.eq(http.patch(url .. "/", {}).body, "application/json")
assert.eq(http.patch(url .. "/", "text").body, "none")
local merge <const> = "application/merge-patch+json"
assert.eq(http.patch(url .. "/", {}, { headers = { ["Content-Type"] = merge } }).body, merge)
assert.eq(http.patch(url .. "/", {}, { headers = { ["CONTENT-TYPE"] = merge } }).body, merge)
local client <const> = http.client({ headers = { ["content-type"] = "text/x" } })
assert.eq(client:patch(url .. "/", {}).body, "text/x")
assert.eq(client:patch(url .. "/", {}, { headers = { ["Content-Type"] = merge } }).body, merge)
assert.eq(http.patch(url .. "/", nil, { form = { a = 1 } }).body, "application/x-www-form-urlencoded")
server:cancel()
