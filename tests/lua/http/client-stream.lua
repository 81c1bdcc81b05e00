-- A body that is read as it comes; the sender waits for the reader.
global assert, http, require, sleep

local start <const> = require("server")
local written = 0
local url <const>, server <const> = start({
  GET = {
    ["/"] = function()
      return {
        stream = function(write)
          local chunk <const> = ("x"):rep(1 << 16)
          for _ = 1, 1000 do
            write(chunk)
            written = written + #chunk
          end
        end,
      }
    end,
  },
})
local response <const> = http.get(url .. "/", { stream = true })
assert.eq(response.status, 200)
local received = #response.body:read(10)
assert.eq(received, 10)
-- Held up, with what fits the buffers on the way.
local before = -1
while before ~= written do
  before = written
  sleep(0.1)
end
assert.lt(written, 30 << 20)
for chunk in response.body do
  received = received + #chunk
end
assert.eq(received, 1000 << 16)
assert.eq(response.body:read(), nil)

-- Closing early ends the writer on the other side.
local another <const> = http.get(url .. "/", { stream = true })
another.body:close()
assert.eq(another.body:read(), nil)
server:cancel()
