-- assay.lib.rest over a real connection.
local rest = require("assay.lib.rest")
local testing = require("assay.testing")

describe("assay.lib.rest", function()
  ---@type testing.Server, rest.Client
  local server, c

  -- Made up by this test: what matters is what the client makes of an answer, not who sends it.
  local function answers(request, response)
    server:expect { request = request, response = response }
  end

  before_each(function()
    server = testing.server()
    c = rest.client {
      service = "demo",
      base_url = server.url .. "/base/",
      headers = { ["X-One"] = "1" },
      auth = function()
        return { authorization = "Bearer t" }
      end,
      message = function(_, body)
        return body.reason
      end,
    }
  end)
  after_each(function()
    server:finish()
  end)

  local signed = { authorization = "Bearer t", ["x-one"] = "1" }

  it("joins the base, encodes the query, sends the headers", function()
    answers({ method = "GET", path = "/base/x%20y", query = { q = "a+b&c", n = { "1", "2" } }, headers = signed }, { status = 200, body = { ok = true } })
    assert.eq(c:json("GET", "/x%20y", { query = { q = "a+b&c", n = { 1, 2 } } }), { ok = true })
  end)

  it("sends tables as JSON and text as it is, with one content type", function()
    answers({
      method = "POST", path = "/base/x", body = { a = {} },
      headers = { authorization = "Bearer t", ["content-type"] = "application/json" },
    }, { status = 204 })
    assert.eq(c:json("POST", "/x", { body = { a = {} } }), nil)
    answers({
      method = "PUT", path = "/base/x", body = "k: v",
      headers = { authorization = "Bearer t", ["content-type"] = "application/yaml" },
    }, { status = 200, body = { 1 } })
    assert.eq(c:json("PUT", "/x", { body = "k: v", content_type = "application/yaml" }), { 1 })
  end)

  it("sends and takes bytes", function()
    local bytes = "\0\255\n\r\128"
    answers({
      method = "PUT", path = "/base/b", body = { base64 = base64.encode(bytes) },
      headers = { authorization = "Bearer t", ["content-type"] = "application/octet-stream" },
    }, { status = 200, headers = { ["Content-Type"] = "application/octet-stream" }, body = { base64 = base64.encode(bytes) } })
    local resp = c:request("PUT", "/b", { body = bytes, content_type = "application/octet-stream" })
    assert.eq(resp.body, bytes)
  end)

  it("raises with the server's own message", function()
    answers({ method = "GET", path = "/base/x", headers = signed }, { status = 403, body = { reason = "not today" } })
    local err = testing.raised(function()
      c:request("GET", "/x")
    end)
    assert.eq(tostring(err), "demo: GET /x HTTP 403: not today")
    assert.eq(err.status, 403)
    assert.eq(err.body, { reason = "not today" })
  end)

  it("raises with the first line of an answer in another form", function()
    answers({ method = "GET", path = "/base/x", headers = signed }, {
      status = 502, headers = { ["Content-Type"] = "text/html" }, body = "<html>\n<body>bad gateway</body>",
    })
    answers({ method = "GET", path = "/base/x", headers = signed }, { status = 503 })
    assert.eq(tostring(testing.raised(function()
      c:request("GET", "/x")
    end)), "demo: GET /x HTTP 502: <html>")
    assert.eq(tostring(testing.raised(function()
      c:request("GET", "/x")
    end)), "demo: GET /x HTTP 503: service unavailable")
  end)

  it("accepts the statuses that are an answer", function()
    answers({ method = "GET", path = "/base/x", headers = signed }, { status = 404, body = { reason = "none" } })
    local body, status = c:json("GET", "/x", { accept = { [404] = true } })
    assert.eq(status, 404)
    assert.eq(body.reason, "none")
  end)

  it("says so when a good answer is not JSON", function()
    answers({ method = "GET", path = "/base/x", headers = signed }, {
      status = 200, headers = { ["Content-Type"] = "text/html" }, body = "<html>Log in</html>",
    })
    local err = testing.raised(function()
      c:json("GET", "/x")
    end)
    assert.eq(tostring(err), "demo: GET /x: the answer is not JSON: <html>Log in</html>")
    assert.contains(err.hint, server.url)
  end)

  it("keeps its timeout", function()
    local slow = testing.server("vault")
    slow:replay("health: active", { delay = 30 })
    local quick = rest.client { service = "demo", base_url = slow.url, timeout = 0.1 }
    local before = time()
    local err = testing.raised(function()
      quick:request("GET", "/v1/sys/health")
    end)
    assert.eq(err.kind, "timeout")
    assert.contains(tostring(err), "demo: GET /v1/sys/health: timeout: ")
    assert.lt(time() - before, 10)
    slow:close()
  end)

  it("raises when nobody listens", function()
    local err = testing.raised(function()
      rest.client({ service = "demo", base_url = "http://127.0.0.1:1" }):request("GET", "/x")
    end)
    assert.eq(err.kind, "connect")
    assert.eq(tostring(err), "demo: GET /x: connect: connection refused (http://127.0.0.1:1/x)")
  end)
end)
