-- Logs and watches against recorded streams.
local k8s = require("assay.k8s")
local testing = require("assay.testing")

local admin = "admin-token-0123456789abcdef"

describe("assay.k8s streams", function()
  ---@type testing.Server, k8s.Client, table
  local server, c, opts

  before_each(function()
    server = testing.server("kubernetes")
    c = k8s.client { base_url = server.url, token = admin }
  end)
  after_each(function()
    server:finish()
  end)

  describe("logs", function()
    it("of a container, and its last lines", function()
      server:replay("logs of a container"):replay("logs tailLines")
      opts = { base_url = server.url, token = admin, container = "app" }
      assert.contains(k8s.logs("demo", "logger", opts), "logger/app line 1\n")
      assert.eq(
        c:logs("demo", "logger", { container = "app", tail = 3 }),
        "logger/app line 8\nlogger/app line 9\nlogger/app line 10\n"
      )
    end)

    it("of the previous run, since a time, up to a size", function()
      server:replay("logs sinceSeconds, previous"):replay("logs timestamps")
      c:logs("demo", "logger", { container = "app", since = 60, previous = true, limit_bytes = 40 })
      assert.matches(c:logs("demo", "logger", { container = "side", tail = 2, timestamps = true }), "^2026%-01%-01T")
    end)

    it("are empty before the pod is scheduled", function()
      server:replay("logs before scheduling")
      assert.eq(c:logs("demo", "logger", { container = "app" }), "")
    end)

    it("follow until the container ends", function()
      server:replay("logs follow", { chunk_size = 7 })
      local text = c:logs("demo", "logger", { container = "app", follow = true, tail = 2 })
      assert.eq(text, testing.recording("kubernetes"):exchange("logs follow").response.body)
    end)

    it("follow line by line", function()
      server:replay("logs follow", { chunk_size = 5 })
      local lines = {}
      c:logs("demo", "logger", {
        container = "app", follow = true, tail = 2,
        on_line = function(line)
          lines[#lines + 1] = line
        end,
      })
      assert.eq(lines[1], "logger/app line 9")
      assert.eq(lines[3], "logger/app follow 0")
    end)

    local function refused(exchange, status, pod, container, text)
      it("raise: " .. exchange, function()
        server:replay(exchange)
        local err = testing.raised(function()
          c:logs("demo", pod, { container = container })
        end)
        assert.eq(err.status, status)
        assert.contains(tostring(err), text)
      end)
    end
    refused("logs, container needed", 400, "logger", nil, "a container name must be specified for pod logger")
    refused("logs wrong container", 400, "logger", "nope", "container nope is not valid")
    refused("logs missing pod", 404, "nosuch", nil, 'pods "nosuch" not found')

    it("raise for a tail that the server refuses", function()
      server:replay("logs invalid tailLines")
      local err = testing.raised(function()
        c:logs("demo", "logger", { container = "app", tail = -1 })
      end)
      assert.eq(err.status, 422)
    end)
  end)

  describe("watch", function()
    for _, chunk_size in ipairs { 1, 100, 1000000 } do
      it("gives the events of a stream that comes in pieces of " .. chunk_size, function()
        server:replay("watch: ADDED MODIFIED DELETED", { chunk_size = chunk_size })
        local seen = {}
        local watch = k8s.watch("demo", "configmap", {
          base_url = server.url, token = admin, resource_version = "1581", timeout = 3,
        })
        for event in watch do
          seen[#seen + 1] = event.type .. " " .. event.object.metadata.name
        end
        assert.eq(seen, { "ADDED w", "MODIFIED w", "DELETED w" })
        assert.eq(watch.resource_version, "1584")
      end)
    end

    it("of one object", function()
      server:replay("watch one object by field selector")
      local events = 0
      for event in c:watch("demo", "configmap", { name = "w", timeout = 3 }) do
        assert.eq(event.object.metadata.name, "w")
        events = events + 1
      end
      assert.gt(events, 0)
    end)

    it("with what exists first, then a bookmark", function()
      server:replay("watch with sendInitialEvents and bookmark")
      local types = {}
      local watch = c:watch("demo", "configmap", { initial_events = true, label_selector = "app=none", timeout = 3 })
      for event in watch do
        types[#types + 1] = event.type
      end
      assert.eq(types, { "BOOKMARK" })
      assert.eq(watch.resource_version, "1589")
    end)

    it("raises 410 when the resource version is too old, and says what to do", function()
      server:replay("watch with too old resourceVersion")
      local err = testing.raised(function()
        for _ in c:watch("demo", "configmap", { resource_version = "1", timeout = 3 }) do
          error("there is no event")
        end
      end)
      assert.eq(err.status, 410)
      assert.contains(tostring(err), "too old resource version: 1 (1022)")
      assert.contains(err.hint, "list again")
    end)

    it("raises when the server refuses to watch", function()
      server:replay("watch with invalid resourceVersion")
      local err = testing.raised(function()
        c:watch("demo", "configmap", { resource_version = "abc", timeout = 2 })
      end)
      assert.eq(err.status, 500)
    end)

    it("can be closed early", function()
      server:replay("watch: ADDED MODIFIED DELETED", { chunk_size = 10 })
      local watch = c:watch("demo", "configmap", { resource_version = "1581", timeout = 3 })
      assert.eq(assert(watch()).type, "ADDED")
      watch:close()
    end)
  end)
end)
