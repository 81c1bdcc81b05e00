-- Commands against a server that speaks the channels of Kubernetes' remote commands, as
-- https://kubernetes.io/docs/reference/using-api/api-concepts and the kubelet have them. Recorded
-- are only the refusals: there was no kubelet.
local k8s = require("assay.k8s")
local testing = require("assay.testing")

describe("assay.k8s exec", function()
  local server ---@type any
  local url
  local seen = {} ---@type http.Request[]
  local behave ---@type http.Reply

  -- What the kubelet says at the end.
  local success = '\3{"metadata":{},"status":"Success"}'
  local function failure(code)
    return '\3{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code","reason":"NonZeroExitCode",'
      .. '"details":{"causes":[{"reason":"ExitCode","message":"' .. code .. '"}]}}'
  end

  -- A server of one command: `subprotocols` are what it speaks, `talk` what it does.
  local function serves(subprotocols, talk)
    behave = { ws = function(conn)
      -- Each channel begins with an empty message.
      for channel = 0, 3 do
        conn:send_binary(string.char(channel))
      end
      talk(conn)
    end, subprotocols = subprotocols }
  end

  before_each(function()
    seen = {}
    local listening
    server = async.spawn(function()
      http.serve(0, {
        GET = {
          ["/*"] = function(req)
            seen[#seen + 1] = req
            return behave
          end,
        },
      }, { host = "127.0.0.1", on_listen = function(addr) listening = addr end })
    end)
    while not listening do
      sleep(0.001)
    end
    url = "http://" .. listening
  end)
  after_each(function()
    server:cancel()
  end)

  it("returns both streams and the exit code", function()
    serves({ "v5.channel.k8s.io" }, function(conn)
      conn:send_binary("\1one \xff")
      conn:send_binary("\2oops")
      conn:send_binary("\1two")
      conn:send_binary(failure(3))
    end)
    local result = k8s.exec("demo", "shop-0", { "sh", "-c", "echo a&b; exit 3" }, {
      base_url = url, token = "t0ken", container = "app",
    })
    assert.eq(result, { stdout = "one \xfftwo", stderr = "oops", exit_code = 3 })
    assert.eq(#seen, 1)
    assert.eq(seen[1].path, "/api/v1/namespaces/demo/pods/shop-0/exec")
    assert.eq(seen[1].query, "command=sh&command=-c&command=echo%20a%26b%3B%20exit%203&container=app&stderr=true&stdout=true")
    assert.eq(seen[1].headers.authorization, "Bearer t0ken")
    assert.eq(seen[1].headers["sec-websocket-protocol"], "v5.channel.k8s.io, v4.channel.k8s.io")
  end)

  it("works as a method, and with a server that only speaks v4", function()
    serves({ "v4.channel.k8s.io" }, function(conn)
      conn:send_binary("\1old")
      conn:send_binary(success)
    end)
    local client = k8s.client { base_url = url, token = "t0ken", headers = { ["x-team"] = "shop" } }
    assert.eq(client:exec("demo", "shop-0", { "ls" }), { stdout = "old", stderr = "", exit_code = 0 })
    assert.eq(seen[1].query, "command=ls&stderr=true&stdout=true")
    assert.eq(seen[1].headers["x-team"], "shop")
  end)

  it("sends standard input and its end, while output comes", function()
    local input = ("0123456789abcdef"):rep(65536) .. "\0\xff"
    serves({ "v5.channel.k8s.io" }, function(conn)
      local pieces = {}
      while true do
        local message = conn:recv()
        if message == "\255\0" then
          break
        end
        assert.eq(message:byte(1), 0)
        assert.lt(#message, 32770)
        pieces[#pieces + 1] = message:sub(2)
        conn:send_binary("\1" .. message:sub(2))
      end
      assert.eq(table.concat(pieces), input)
      conn:send_binary(success)
    end)
    local result = k8s.exec("demo", "shop-0", { "cat" }, { base_url = url, token = "t", stdin = input })
    assert.eq(result.exit_code, 0)
    assert.eq(result.stdout == input, true)
    assert.eq(seen[1].query, "command=cat&stderr=true&stdin=true&stdout=true")
  end)

  it("does not mind a command that leaves its input unread", function()
    serves({ "v5.channel.k8s.io" }, function(conn)
      conn:send_binary(success)
    end)
    local input = ("x"):rep(8 << 20)
    local result = k8s.exec("demo", "shop-0", { "true" }, { base_url = url, token = "t", stdin = input })
    assert.eq(result, { stdout = "", stderr = "", exit_code = 0 })
  end)

  it("raises where input would have no end", function()
    serves({ "v4.channel.k8s.io" }, function(conn)
      conn:recv()
    end)
    local err = testing.raised(function()
      k8s.exec("demo", "shop-0", { "cat" }, { base_url = url, token = "t", stdin = "x" })
    end)
    assert.contains(tostring(err), "the server speaks only v4.channel.k8s.io, in which standard input has no end")
  end)

  it("raises when the command did not run, or nobody says how it ended", function()
    local function fails(talk)
      serves({ "v5.channel.k8s.io" }, talk)
      return testing.raised(function()
        k8s.exec("demo", "shop-0", { "nope" }, { base_url = url, token = "t" })
      end)
    end
    local err = fails(function(conn)
      conn:send_binary(
        '\3{"metadata":{},"status":"Failure","message":"exec: \\"nope\\": executable file not found in $PATH","reason":"InternalError","code":500}'
      )
    end)
    assert.eq({ err.kind, err.status }, { "exec", 500 })
    assert.contains(
      tostring(err),
      'k8s: exec nope: /api/v1/namespaces/demo/pods/shop-0/exec: exec: "nope": executable file not found in $PATH'
    )
    err = fails(function() end)
    assert.contains(tostring(err), "the server did not say how it ended")
    err = fails(function(conn)
      conn:send_binary("\3not json")
    end)
    assert.contains(tostring(err), "the server did not say how it ended")
    serves({}, function() end)
    err = testing.raised(function()
      k8s.exec("demo", "shop-0", { "ls" }, { base_url = url, token = "t" })
    end)
    assert.contains(tostring(err), "the server agreed to neither v5.channel.k8s.io nor v4.channel.k8s.io")
  end)

  it("gives up after its timeout", function()
    serves({ "v5.channel.k8s.io" }, function(conn)
      conn:recv()
    end)
    local err = testing.raised(function()
      k8s.exec("demo", "shop-0", { "sleep", "1d" }, { base_url = url, token = "t", timeout = 0.05 })
    end)
    assert.eq(err.kind, "timeout")
    assert.contains(tostring(err), "k8s: exec sleep: /api/v1/namespaces/demo/pods/shop-0/exec: no end within 0.05 s")
  end)

  it("raises with the server's own words when it refuses", function()
    local exchange = testing.recording("kubernetes"):exchange("exec viewer 403")
    behave = { status = 403, json = exchange.response.body }
    local err = testing.raised(function()
      k8s.exec("demo", "logger", { "ls" }, { base_url = url, token = "t" })
    end)
    assert.eq({ err.kind, err.status }, { "http", 403 })
    assert.contains(
      tostring(err),
      'k8s: GET /api/v1/namespaces/demo/pods/logger/exec HTTP 403: pods "logger" is forbidden: User "viewer" cannot get resource'
    )
  end)

  it("is strict about its arguments", function()
    local commands = { {}, { 1 }, { "ls", false } } ---@type any[]
    for _, command in ipairs(commands) do
      local err = testing.raised(function()
        k8s.exec("demo", "logger", command, { base_url = url })
      end)
      assert.eq(err.kind, "usage")
      assert.contains(tostring(err), "k8s.exec: argument 3 (command): expected a list of strings")
    end
    assert.eq(#seen, 0)
  end)
end)
