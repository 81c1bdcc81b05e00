global assert, http, ipairs, pcall, print, require, tostring

local start <const> = require("server")
local refused <const> = {}
local url <const>, server <const> = start({
  GET = {
    ["/"] = function()
      return {
        sse = function(send)
          send("plain")
          send({ event = "tick", id = 7, retry = 1000, data = "two\nlines" })
          send({ data = { a = 1 } })
          for _, bad in ipairs({ { event = "a\nb" }, { id = "1\r2" }, { data = print }, { dta = "x" }, 5 }) do
            local ok, err = pcall(send, bad)
            refused[#refused + 1] = ok and "accepted" or tostring(err)
          end
          send("data\r\ndata: injected\r\rid: 9")
        end,
      }
    end,
  },
})
local response <const> = http.get(url .. "/")
assert.eq(response.headers["content-type"], "text/event-stream")
assert.eq(response.headers["cache-control"], "no-cache")
assert.contains(response.body, "data: plain\n\n")
assert.contains(response.body, "event: tick\n")
assert.contains(response.body, "id: 7\n")
assert.contains(response.body, "retry: 1000\n")
assert.contains(response.body, "data: two\ndata: lines\n")
assert.contains(response.body, 'data: {"a":1}\n\n')
-- A line break in data begins another data line, never another field.
assert.contains(response.body, "data: data\ndata: data: injected\ndata: \ndata: id: 9\n\n")
assert.eq(#refused, 5)
assert.contains(refused[1], "`event`: a line break")
assert.contains(refused[2], "`id`: a line break")
assert.contains(refused[3], "`data`: expected a string or a table, got function")
assert.contains(refused[4], "unknown field `dta`")
assert.contains(refused[5], "expected a string or a table with `data`, got number")
server:cancel()
