-- error: the handler of GET /fails failed:
global assert, error, http, pcall, require, setmetatable, sleep

local start <const> = require("server")
local ended = {}
local url <const>, server <const> = start({
  GET = {
    ["/parts"] = function()
      return {
        status = 202,
        headers = { ["Content-Type"] = "text/x" },
        stream = function(write)
          for i = 1, 3 do
            write("part " .. i .. "\n")
            write("")
            sleep(0.01)
          end
        end,
      }
    end,
    ["/fails"] = function()
      return {
        stream = function(write)
          write("begun")
          error("in the middle")
        end,
      }
    end,
    ["/endless"] = function()
      return {
        stream = function(write)
          local guard <close> = setmetatable({}, { __close = function() ended.endless = true end })
          while true do
            write("more ")
            sleep(0.001)
          end
        end,
      }
    end,
  },
})
local response <const> = http.get(url .. "/parts")
assert.eq(response.status, 202)
assert.eq(response.body, "part 1\npart 2\npart 3\n")
assert.eq(response.headers["content-type"], "text/x")
assert.eq(response.headers["transfer-encoding"], "chunked")
-- A body that was cut short does not look complete.
local ok, err = pcall(http.get, url .. "/fails")
assert.eq(ok, false)
assert.eq(err.kind, "body")
-- A client that goes ends the writer.
local endless <const> = http.get(url .. "/endless", { stream = true })
assert.contains(endless.body:read(), "more")
endless.body:close()
for _ = 1, 200 do
  if ended.endless then
    break
  end
  sleep(0.01)
end
assert.eq(ended.endless, true)
server:cancel()
