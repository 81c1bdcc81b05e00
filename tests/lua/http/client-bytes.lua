global assert, http, ipairs, require, string, table, tostring

local start <const> = require("server")

local all = {}
for byte = 0, 255 do
  all[#all + 1] = string.char(byte)
end
all = table.concat(all)

local url <const>, server <const> = start({
  POST = { ["/"] = function(req) return { body = req.body, headers = { ["X-Length"] = #req.body } } end },
})
for _, body in ipairs({ all, all:rep(1000), "" }) do
  local response = http.post(url .. "/", body)
  assert.eq(response.body == body, true, "a body of " .. #body .. " bytes came back changed")
  assert.eq(response.headers["x-length"], tostring(#body))
end
server:cancel()
