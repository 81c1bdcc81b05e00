-- The names that scripts call. Never rename one without an alias.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local vault = require("assay.vault")

local methods = {
  "read", "write", "delete", "list", "kv_get", "kv_put", "kv_delete", "kv_list", "kv_metadata", "health", "seal_status",
  "is_sealed", "is_initialized", "policy_get", "policy_put", "policy_delete", "policy_list", "auth_enable",
  "auth_disable", "auth_list", "auth_config", "auth_create_role", "auth_read_role", "auth_list_roles", "engine_enable",
  "engine_disable", "engine_list", "engine_tune", "token_create", "token_lookup", "token_lookup_self", "token_revoke",
  "token_revoke_self", "transit_encrypt", "transit_decrypt", "transit_create_key", "transit_list_keys", "pki_issue",
  "pki_ca_cert", "pki_create_role", "auth_login", "auth_login_kubernetes", "token_renew", "token_renew_self",
  "token_keep_renewed", "with_namespace",
}

describe("assay.vault", function()
  it("has every function and method", function()
    for _, name in ipairs { "client", "wait", "authenticated_client", "ensure_credentials", "assert_secret" } do
      assert.eq(type(vault[name]), "function", name)
    end
    local c = vault.client("http://127.0.0.1:1", "token")
    for _, name in ipairs(methods) do
      assert.eq(type(c[name]), "function", "client:" .. name)
    end
  end)
end)

describe("the types of vault.Client", function()
  it("name every method, and none that is not there", function()
    local folder = debug.getinfo(vault.client, "S").source:match("^@(.*)/init%.lua$")
    local typed = {}
    for name in fs.read(folder .. "/init.lua"):gmatch("%-%-%-@field ([%w_]+) fun%(self: vault%.Client") do
      typed[name] = true
    end
    for name in fs.read(folder .. "/client.lua"):gmatch("\nfunction Client:([%w_]+)%(") do
      typed[name] = true
    end
    local client = getmetatable(vault.client("http://127.0.0.1:1", "token")).__index
    for name, value in pairs(client) do
      if type(value) == "function" then
        assert(typed[name], "no type for the method " .. name)
      end
    end
    for name in pairs(typed) do
      assert.eq(type(client[name]), "function", name)
    end
  end)
end)
