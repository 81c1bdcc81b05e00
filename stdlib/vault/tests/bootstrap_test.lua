-- Waiting for a server, logging in through Kubernetes, and credentials that are made once.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local testing = require("assay.testing")
local vault = require("assay.vault")

local root = "root-token"

describe("vault.wait", function()
  ---@type testing.Server
  local server

  before_each(function()
    server = testing.server("vault")
  end)
  after_each(function()
    server:finish()
  end)

  it("waits until the server is initialized and unsealed", function()
    server:replay("uninitialized: health 501"):replay("sealed: health 503"):replay("health: active")
    assert.eq(vault.wait(server.url, { timeout = 5, interval = 0.01 }), true)
  end)

  it("is content with a standby", function()
    server:replay("standby: health 429")
    assert.eq(vault.wait(server.url), true)
  end)

  it("asks as it is told to", function()
    server:replay("uninitialized: health with uninitcode")
    vault.wait(server.url, { health_path = "/v1/sys/health?sealedcode=200&uninitcode=200" })
  end)

  it("raises after the timeout and tells the last state", function()
    server:replay("sealed: health 503", { times = 1000 })
    local before = time()
    local err = testing.raised(function()
      vault.wait(server.url, { timeout = 0.2, interval = 0.05 })
    end)
    assert.eq(err.kind, "timeout")
    assert.eq(tostring(err), "vault: waited 0.2s for " .. server.url .. " to be ready; last state: HTTP 503 (sealed)")
    assert.lt(time() - before, 5)
    server:forget()
  end)

  it("reports the last error when nothing listens", function()
    local err = testing.raised(function()
      vault.wait("http://127.0.0.1:1", { timeout = 0.1, interval = 0.05 })
    end)
    assert.eq(err.kind, "timeout")
    assert.contains(tostring(err), "connect")
  end)
end)

describe("vault.authenticated_client", function()
  ---@type testing.Server, testing.Server, table
  local server, cluster, kubernetes

  before_each(function()
    server = testing.server("vault")
    cluster = testing.server("kubernetes")
    kubernetes = { base_url = cluster.url, token = "admin-token-0123456789abcdef" }
  end)
  after_each(function()
    server:finish()
    cluster:finish()
  end)

  it("waits, reads the token from a secret and uses it", function()
    server:replay("sealed: health 503"):replay("health: active")
    cluster:replay("secret get")
    local c = vault.authenticated_client(server.url, {
      secret_namespace = "demo", secret_name = "s1", secret_key = "password", timeout = 5, k8s = kubernetes,
    })
    assert.eq(c.token, "hunter2")
    server:replay("kv2 read", { request = { headers = { ["X-Vault-Token"] = "hunter2" } } })
    assert.eq(c:kv_get("secret", "app/db").data.user, "admin")
  end)

  it("looks in secrets/openbao-root-token for root-token by default", function()
    server:replay("health: active")
    -- The recorded answer for a missing secret, under the default name.
    cluster:replay("secret get missing", { request = { path = "/api/v1/namespaces/secrets/secrets/openbao-root-token" } })
    local err = testing.raised(function()
      vault.authenticated_client(server.url, { k8s = kubernetes })
    end)
    assert.eq(err.status, 404)
  end)

  it("names the keys there are when the wanted one is missing", function()
    server:replay("health: active")
    cluster:replay("secret get")
    local err = testing.raised(function()
      vault.authenticated_client(server.url, { secret_namespace = "demo", secret_name = "s1", k8s = kubernetes })
    end)
    assert.eq(tostring(err), "vault: secret demo/s1 has no key `root-token`")
    assert.eq(err.hint, "it has bin, empty, password, user")
  end)

  it("refuses a broken address at the caller's line", function()
    local err = testing.raised(function()
      vault.authenticated_client("vault:8200")
    end)
    assert.contains(tostring(err), "vault.authenticated_client: url: expected an address")
    assert.contains(err.source, "bootstrap_test.lua:")
  end)

  it("raises when Kubernetes refuses", function()
    server:replay("health: active")
    cluster:replay("403 viewer get secret")
    local err = testing.raised(function()
      vault.authenticated_client(server.url, {
        secret_namespace = "demo", secret_name = "s1",
        k8s = { base_url = cluster.url, token = "viewer-token-0123456789abcdef" },
      })
    end)
    assert.eq(err.status, 403)
    assert.contains(tostring(err), 'k8s: GET /api/v1/namespaces/demo/secrets/s1 HTTP 403: secrets "s1" is forbidden')
  end)
end)

describe("vault.ensure_credentials", function()
  ---@type testing.Server, vault.Client
  local server, c

  before_each(function()
    server = testing.server("vault")
    c = vault.client(server.url, root)
  end)
  after_each(function()
    server:finish()
  end)

  -- The answer to a create-only write is the one to any other write of a first version; the
  -- recording has it without the option (`cas = 0` is recorded where it is refused).
  local function first_write(path, data)
    return { request = { path = path, body = { data = data, options = { cas = 0 } } } }
  end

  it("keeps credentials that exist", function()
    server:replay("kv2 read")
    local data, created = vault.ensure_credentials(c, "app/db", "password", function()
      error("must not be called")
    end, { mount = "secret" })
    assert.eq(data.password, "hunter2")
    assert.eq(created, false)
  end)

  it("makes and stores them once", function()
    server:replay("kv2 read missing"):replay("kv2 write", first_write("/v1/secret/data/app/db", { user = "app", password = "made" }))
    local data, created = vault.ensure_credentials(c, "app/db", "password", function()
      return { user = "app", password = "made" }
    end, { mount = "secret" })
    assert.eq(data, { user = "app", password = "made" })
    assert.eq(created, true)
  end)

  it("uses the mount `secrets` by default", function()
    server:replay("kv2 read missing", { request = { path = "/v1/secrets/data/app/db" } })
    server:replay("kv2 write", first_write("/v1/secrets/data/app/db", { password = "made" }))
    vault.ensure_credentials(c, "app/db", "password", function()
      return { password = "made" }
    end)
  end)

  it("completes a secret that lacks the key, and keeps what it has", function()
    server:replay("kv2 read empty data"):replay("kv2 CAS ok", {
      request = { path = "/v1/secret/data/top", body = { data = { password = "made" }, options = { cas = 1 } } },
    })
    local data = vault.ensure_credentials(c, "top", "password", function(existing)
      assert.eq(existing, {})
      return { password = "made" }
    end, { mount = "secret" })
    assert.eq(data.password, "made")
  end)

  it("writes over a deleted version", function()
    server:replay("kv2 read deleted (404 with data.metadata)"):replay("kv2 CAS ok", {
      request = { body = { data = { password = "made" }, options = { cas = 3 } } },
    })
    local data = vault.ensure_credentials(c, "app/db", "password", function()
      return { password = "made" }
    end, { mount = "secret" })
    assert.eq(data.password, "made")
  end)

  it("takes what another job stored at the same moment", function()
    server:replay("kv2 read missing")
    server:replay("kv2 CAS create only, exists")
    server:replay("kv2 read")
    local data, created = vault.ensure_credentials(c, "app/db", "password", function()
      return { password = "p4" }
    end, { mount = "secret" })
    assert.eq(data.password, "hunter2")
    assert.eq(created, false)
  end)

  it("raises when the mount does not exist", function()
    server:replay("no handler for route", { request = { path = "/v1/nosuch/data/x" } })
    server:replay("no handler for route, write", {
      request = { path = "/v1/nosuch/data/x", body = { data = { password = "made" }, options = { cas = 0 } } },
    })
    local err = testing.raised(function()
      vault.ensure_credentials(c, "x", "password", function()
        return { password = "made" }
      end, { mount = "nosuch" })
    end)
    assert.eq(err.status, 404)
  end)

  it("refuses a generator that does not make the key", function()
    server:replay("kv2 read missing")
    local err = testing.raised(function()
      vault.ensure_credentials(c, "app/db", "password", function()
        return { user = "app" }
      end, { mount = "secret" })
    end)
    assert.contains(tostring(err), "the generator returned no `password`")
    assert.contains(err.source, "bootstrap_test.lua:")
  end)
end)

describe("vault.assert_secret", function()
  ---@type testing.Server, vault.Client
  local server, c

  before_each(function()
    server = testing.server("vault")
    c = vault.client(server.url, root)
  end)
  after_each(function()
    server:finish()
  end)

  it("returns the data", function()
    server:replay("kv2 read")
    assert.eq(vault.assert_secret(c, "app/db", { "user", "password" }, { mount = "secret" }).user, "admin")
  end)

  it("raises for a missing secret and for missing keys", function()
    server:replay("kv2 read missing"):replay("kv2 read")
    local err = testing.raised(function()
      vault.assert_secret(c, "app/db", { "user" }, { mount = "secret" })
    end)
    assert.eq(tostring(err), "vault: secret secret/app/db does not exist")
    err = testing.raised(function()
      vault.assert_secret(c, "app/db", { "user", "host", "tls" }, { mount = "secret" })
    end)
    assert.eq(tostring(err), "vault: secret secret/app/db lacks host, tls")
  end)
end)
