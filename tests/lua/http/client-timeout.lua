global assert, http, pairs, pcall, require, sleep, tostring

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = {
    ["/slow"] = function()
      sleep(30)
      return {}
    end,
    ["/stalls"] = function()
      return {
        stream = function(write)
          write("a")
          sleep(30)
        end,
      }
    end,
  },
})
for path, what in pairs({ ["/slow"] = "no answer", ["/stalls"] = "the body did not end" }) do
  local ok, err = pcall(http.get, url .. path, { timeout = 0.1 })
  assert.eq(ok, false)
  assert.eq(err.kind, "timeout")
  assert.contains(tostring(err), "http.get: timeout: " .. what .. " within 0.1 s (" .. url .. path .. ")")
end
server:cancel()
