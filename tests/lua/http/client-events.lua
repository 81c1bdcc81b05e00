global assert, async, error, http, pcall, require, setmetatable, sleep, tostring

local start <const> = require("server")
local gone = false
local url <const>, server <const> = start({
  GET = {
    ["/events"] = function(req)
      assert.eq(req.headers.accept, "text/event-stream")
      return {
        sse = function(send)
          send({ data = "one\ntwo", event = "add", id = 7, retry = 250 })
          send({ data = { n = 1 } })
          send("last")
        end,
      }
    end,
    ["/endless"] = function()
      return {
        sse = function(send)
          local _ <close> = setmetatable({}, { __close = function() gone = true end })
          while true do
            send("tick")
            sleep(0.001)
          end
        end,
      }
    end,
    ["/refused"] = function() return { status = 403, json = { error = "no" } } end,
    ["/text"] = function() return { body = "no events" } end,
    ["/silent"] = function()
      return {
        sse = function(send)
          send("one")
          sleep(30)
        end,
      }
    end,
  },
})

-- Until the server ends: one after the other, although the callback waits.
local events, busy = {}, false
local response = http.get(url .. "/events", {
  on_event = function(event)
    assert.eq(busy, false)
    busy = true
    sleep(0.001)
    busy = false
    events[#events + 1] = event
  end,
})
assert.eq(response.status, 200)
assert.eq(response.body, "")
assert.eq(events, {
  { event = "add", data = "one\ntwo", id = "7", retry = 250 },
  { event = "message", data = '{"n":1}', id = "7", retry = 250 },
  { event = "message", data = "last", id = "7", retry = 250 },
})

-- Until the callback has enough, which the server notices.
local count = 0
http.get(url .. "/endless", {
  on_event = function()
    count = count + 1
    if count == 3 then
      return false
    end
  end,
})
assert.eq(count, 3)
while not gone do
  sleep(0.001)
end

-- What it raises is raised, as it was thrown.
local thrown <const> = { code = 42 }
local ok, err = pcall(http.get, url .. "/endless", { on_event = function() error(thrown) end })
assert.eq(ok, false)
assert(err == thrown, tostring(err))

-- What is no stream of events is a response as any other.
local function never() error("called") end
response = http.get(url .. "/refused", { on_event = never })
assert.eq(response.status, 403)
assert.eq(response:json().error, "no")
assert.eq(http.get(url .. "/text", { on_event = never }).body, "no events")

-- `timeout` is for each part; `max_body` for each event.
ok, err = pcall(http.get, url .. "/silent", { timeout = 0.1, on_event = function() end })
assert.eq(err.kind, "timeout")
assert.contains(tostring(err), "http.get: timeout: no part of the body within 0.1 s")
ok, err = pcall(http.get, url .. "/events", { stream = true, on_event = never })
assert.contains(tostring(err), "either `stream` or `on_event`")
ok, err = pcall(http.get, url .. "/text", { max_body = 3, on_event = never })
assert.eq(err.kind, "body")

-- A reader that is cancelled hangs up.
gone = false
local told = 0
local reader <const> = async.spawn(
  function() http.get(url .. "/endless", { on_event = function() told = told + 1 end }) end
)
while told == 0 do
  sleep(0.001)
end
reader:cancel()
while not gone do
  sleep(0.001)
end
server:cancel()
