global assert, http, require

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = {
    ["/"] = function()
      return { headers = { ["Set-Cookie"] = { "a=1; Expires=Mon, 1 Jan", "b=2" }, Vary = { "A", "B" }, One = "1" } }
    end,
  },
})
local response <const> = http.get(url .. "/")
assert.eq(response:header_values("Set-Cookie"), { "a=1; Expires=Mon, 1 Jan", "b=2" })
assert.eq(response:header_values("vary"), { "A", "B" })
assert.eq(response:header_values("one"), { "1" })
assert.eq(response:header_values("none"), {})
assert.eq(response.headers.vary, "A, B")
assert.eq(response.headers["set-cookie"], "a=1; Expires=Mon, 1 Jan")
server:cancel()
