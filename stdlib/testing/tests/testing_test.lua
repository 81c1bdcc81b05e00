-- The mock server has to fail loudly; these tests make it fail.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local testing = require("assay.testing")

describe("assay.testing", function()
  ---@type testing.Server, http.Client
  local server, client

  before_each(function()
    server = testing.server("vault")
    client = http.client {}
  end)
  after_each(function()
    server:close()
  end)

  local function send(method, path, opts)
    opts = opts or {}
    return client:request {
      method = method, url = server.url .. path, headers = opts.headers, body = opts.body,
    }
  end

  local token = { ["x-vault-token"] = "root-token" }

  local function failure()
    return tostring(testing.raised(function()
      server:verify()
    end))
  end

  it("replays what was recorded", function()
    server:replay("kv1 read")
    local resp = send("GET", "/v1/kv1/a", { headers = token })
    assert.eq(resp.status, 200)
    assert.eq(resp.headers["content-type"], "application/json")
    assert.eq(json.parse(resp.body).data, { n = 2, x = "1" })
    server:verify()
  end)

  it("replays methods of its own, queries, empty and HEAD answers", function()
    server:replay("kv1 list"):replay("kv2 read version 1"):replay("kv1 delete"):replay("health: HEAD")
    assert.eq(json.parse(send("LIST", "/v1/kv1/", { headers = token }).body).data.keys, { "a" })
    assert.eq(send("GET", "/v1/secret/data/app/db?version=1", { headers = token }).status, 200)
    assert.eq(send("DELETE", "/v1/kv1/a", { headers = token }).status, 204)
    assert.eq(send("HEAD", "/v1/sys/health").status, 200)
    server:verify()
  end)

  it("replays bytes", function()
    server:replay("pki ca der")
    local recorded = testing.recording("vault"):exchange("pki ca der").response.body.base64
    assert.eq(send("GET", "/v1/pki/ca", { headers = token }).body, base64.decode(recorded))
  end)

  it("keeps nulls in what it replays", function()
    server:replay("kv1 read")
    assert.contains(send("GET", "/v1/kv1/a", { headers = token }).body, '"warnings":null')
  end)

  local function unexpected(name, text, call)
    it("fails on " .. name, function()
      server:replay("kv2 CAS ok")
      local resp = call()
      assert.eq(resp.status, 501)
      assert.contains(json.parse(resp.body).message, "testing: unexpected request")
      assert.contains(failure(), text)
    end)
  end

  local body = '{"options":{"cas":2},"data":{"password":"p3"}}'
  local headers = { ["x-vault-token"] = "root-token", ["content-type"] = "application/json" }

  unexpected("another method", 'method: expected "POST", got "PUT"', function()
    return send("PUT", "/v1/secret/data/app/db", { headers = headers, body = body })
  end)
  unexpected("another path", 'path: expected "/v1/secret/data/app/db", got "/v1/secret/data/app"', function()
    return send("POST", "/v1/secret/data/app", { headers = headers, body = body })
  end)
  unexpected("a path that is encoded in another way", 'got "/v1/secret/data/app%2Fdb"', function()
    return send("POST", "/v1/secret/data/app%2Fdb", { headers = headers, body = body })
  end)
  unexpected("a query that nobody expects", 'query: expected {}, got {"x":"1"}', function()
    return send("POST", "/v1/secret/data/app/db?x=1", { headers = headers, body = body })
  end)
  unexpected("another body", 'body: expected {"data":{"password":"p3"},"options":{"cas":2}}', function()
    return send("POST", "/v1/secret/data/app/db", { headers = headers, body = '{"options":{"cas":2},"data":{"password":"p4"}}' })
  end)
  unexpected("a broken body", 'got "{bad"', function()
    return send("POST", "/v1/secret/data/app/db", { headers = headers, body = "{bad" })
  end)
  unexpected("a missing token", 'header x-vault-token: expected "root-token", got nothing', function()
    return send("POST", "/v1/secret/data/app/db", { headers = { ["content-type"] = "application/json" }, body = body })
  end)
  unexpected("a header that changes the request", 'header x-vault-namespace: expected nothing, got "team-a"', function()
    return send("POST", "/v1/secret/data/app/db", {
      headers = { ["x-vault-token"] = "root-token", ["content-type"] = "application/json", ["x-vault-namespace"] = "team-a" },
      body = body,
    })
  end)

  it("fails on one call too many", function()
    server:replay("kv1 read")
    send("GET", "/v1/kv1/a", { headers = token })
    assert.eq(send("GET", "/v1/kv1/a", { headers = token }).status, 501)
    assert.contains(failure(), "nothing more was expected")
  end)

  it("fails on calls in another order", function()
    server:replay("kv1 read"):replay("kv1 read missing")
    assert.eq(send("GET", "/v1/kv1/nosuch", { headers = token }).status, 501)
    assert.contains(failure(), "expected next: `kv1 read`, GET /v1/kv1/a")
  end)

  it("fails when an expected call never came", function()
    server:replay("kv1 read"):replay("kv1 delete")
    send("GET", "/v1/kv1/a", { headers = token })
    assert.contains(failure(), "never called: `kv1 delete`, DELETE /v1/kv1/a")
  end)

  it("names a close exchange when there is none of that name", function()
    local err = testing.raised(function()
      server:replay("kv1 red")
    end)
    assert.contains(tostring(err), "the recording of vault has no exchange `kv1 red`")
    assert.eq(err.hint, "did you mean `kv1 read`?")
  end)

  it("takes exchanges that are written out", function()
    server:expect {
      request = { method = "GET", path = "/x", query = { a = { "1", "2" } } },
      response = { status = 418, body = { short = true } },
    }
    assert.eq(send("GET", "/x?a=1&a=2").status, 418)
    server:verify()
  end)

  it("stops listening", function()
    server:close()
    local err = testing.raised(function()
      send("GET", "/v1/kv1/a")
    end)
    assert.eq(err.kind, "connect")
  end)

  it("records what passes, so that it can be replayed", function()
    local folder = fs.tempdir()
    server:replay("kv1 read"):replay("kv2 CAS ok")
    local recorder = testing.recorder {
      target = server.url, system = "vault", version = "1.8.0", headers = { "X-Vault-Token" },
      redact = function(exchange)
        exchange.request.headers["X-Vault-Token"] = "hidden"
      end,
    }
    recorder:name("read a")
    client:request { method = "GET", url = recorder.url .. "/v1/kv1/a", headers = token }
    client:request { method = "POST", url = recorder.url .. "/v1/secret/data/app/db", headers = headers, body = body }
    recorder:save(folder .. "/own.json")
    server:verify()

    local recording = testing.recording(folder .. "/own.json")
    assert.eq(recording:exchange("POST /v1/secret/data/app/db").request.body, json.parse(body))
    local replay = testing.server(recording)
    replay:replay("read a")
    local resp = client:request { method = "GET", url = replay.url .. "/v1/kv1/a", headers = { ["x-vault-token"] = "hidden" } }
    assert.eq(json.parse(resp.body).data.x, "1")
    replay:finish()
    fs.remove(folder, { recursive = true })
  end)
end)
