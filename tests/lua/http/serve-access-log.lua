-- error: INFO  http.serve bytes=5
-- error: method=GET path=/hello
-- error: status=404
-- error: method=POST path=/parts
-- error: bytes=6
-- A line for each response, and no query in it.
global assert, http, require

local start <const> = require("server")
local url <const>, server <const> = start({
  GET = { ["/hello"] = function() return { body = "hello" } end },
  POST = {
    ["/parts"] = function()
      return {
        stream = function(write)
          write("abc")
          write("def")
        end,
      }
    end,
  },
}, { access_log = true })
assert.eq(http.get(url .. "/hello?token=secret").body, "hello")
assert.eq(http.get(url .. "/nothing").status, 404)
assert.eq(http.post(url .. "/parts", "").body, "abcdef")
server:cancel()
