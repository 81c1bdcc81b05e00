-- What the checks of this folder talk to. Says where it listens.
global http, json, print, sleep
local tries <const> = {}

http.serve(0, {
  GET = {
    ["/health"] = function()
      return { json = { status = "ok", version = "1.4.2", parts = { { name = "db", load = 0.5 } }, tags = { "blue" } } }
    end,
    -- Each name is refused twice, then served.
    ["/flaky/:name"] = function(req)
      local name = req.path_params.name
      tries[name] = (tries[name] or 0) + 1
      if tries[name] < 3 then
        return { status = 503, body = "starting" }
      end
      return { json = { tries = tries[name] } }
    end,
    ["/echo"] = function(req)
      return { json = { query = req.params, headers = req.headers } }
    end,
    ["/old"] = function()
      return { status = 302, headers = { location = "/health" } }
    end,
    ["/cookies"] = function()
      return { headers = { ["set-cookie"] = { "a=1", "session=2; HttpOnly" }, ["x-frame-options"] = "DENY" }, body = "" }
    end,
    ["/text"] = function()
      return { body = "not \255 JSON\0" }
    end,
    ["/never"] = function()
      sleep(600)
      return { body = "late" }
    end,
  },
  POST = {
    ["/orders"] = function(req)
      local order = req:json()
      return { status = 201, json = { item = order.item, count = order.count, type = req.headers["content-type"] } }
    end,
  },
}, { host = "127.0.0.1", on_listen = print })
