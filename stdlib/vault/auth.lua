-- assay.vault.auth: auth methods, their roles, and logging in.
global fs, pcall, require

local lib = require("assay.lib")

local M = {}

---Enables an auth method. A path in use raises (400).
---@param client vault.Client
---@param path string
---@param auth_type string `kubernetes`, `approle`, `userpass`, ...
---@param opts? {description?: string, config?: table, options?: table, ["local"]?: boolean}
function M.enable(client, path, auth_type, opts)
  lib.argument("vault.auth_enable", 1, "path", path, "string")
  lib.argument("vault.auth_enable", 2, "auth_type", auth_type, "string")
  ---@type table
  local body = lib.options("vault.auth_enable", opts, {
    description = "string",
    config = "table",
    options = "table",
    ["local"] = "boolean",
  })
  body.type = auth_type
  client:write("sys/auth/" .. path, body)
end

---@param client vault.Client
---@param path string
function M.disable(client, path)
  lib.argument("vault.auth_disable", 1, "path", path, "string")
  client:delete("sys/auth/" .. path)
end

---@param client vault.Client
---@return table<string, table> # path with its slash → settings
function M.list(client)
  return client:read("sys/auth") or {}
end

---Writes the method's configuration.
---@param client vault.Client
---@param path string
---@param config table
function M.config(client, path, config)
  lib.argument("vault.auth_config", 1, "path", path, "string")
  lib.argument("vault.auth_config", 2, "config", config, "table")
  client:write("auth/" .. path .. "/config", config)
end

---Creates or replaces a role.
---@param client vault.Client
---@param path string
---@param role_name string
---@param role_config table
function M.create_role(client, path, role_name, role_config)
  lib.argument("vault.auth_create_role", 1, "path", path, "string")
  lib.argument("vault.auth_create_role", 2, "role_name", role_name, "string")
  lib.argument("vault.auth_create_role", 3, "role_config", role_config, "table")
  client:write("auth/" .. path .. "/role/" .. role_name, role_config)
end

---@param client vault.Client
---@param path string
---@param role_name string
---@return table? # nil when there is no such role
function M.read_role(client, path, role_name)
  lib.argument("vault.auth_read_role", 1, "path", path, "string")
  lib.argument("vault.auth_read_role", 2, "role_name", role_name, "string")
  return client:read("auth/" .. path .. "/role/" .. role_name)
end

---@param client vault.Client
---@param path string
---@return string[]
function M.list_roles(client, path)
  lib.argument("vault.auth_list_roles", 1, "path", path, "string")
  return client:list("auth/" .. path .. "/role")
end

---@param client vault.Client
---@param path string
---@param role_name string
function M.delete_role(client, path, role_name)
  lib.argument("vault.auth_delete_role", 1, "path", path, "string")
  lib.argument("vault.auth_delete_role", 2, "role_name", role_name, "string")
  client:delete("auth/" .. path .. "/role/" .. role_name)
end

---What a login or a renewal grants.
---@class vault.Auth
---@field client_token string
---@field accessor string
---@field policies string[]
---@field lease_duration integer seconds; 0: never expires
---@field renewable boolean
---@field token_type string `service` or `batch`

---Logs in and uses the token from then on: `client:auth_login("approle/login", {role_id = ..., secret_id = ...})`.
---@param client vault.Client
---@param path string below `auth/`
---@param payload table
---@return vault.Auth
function M.login(client, path, payload)
  lib.argument("vault.auth_login", 1, "path", path, "string")
  lib.argument("vault.auth_login", 2, "payload", payload, "table")
  -- A login must not depend on the token it replaces, which may have expired.
  client.token = nil
  local body = client:request("POST", "auth/" .. path, { body = payload })
  if not (body and body.auth and body.auth.client_token) then
    lib.fail { kind = "http", message = "vault: POST /v1/auth/" .. path .. ": the answer has no token" }
  end
  client.token = body.auth.client_token
  return body.auth
end

local service_account_token = "/var/run/secrets/kubernetes.io/serviceaccount/token"

---Logs in with a Kubernetes service account. Its token is read at every login, because it rotates.
---@param client vault.Client
---@param role string
---@param opts? {mount?: string, jwt?: string, jwt_file?: string} `kubernetes` and the pod's own token by default
---@return vault.Auth
function M.login_kubernetes(client, role, opts)
  lib.argument("vault.auth_login_kubernetes", 1, "role", role, "string")
  opts = lib.options("vault.auth_login_kubernetes", opts, { mount = "string", jwt = "string", jwt_file = "string" })
  local jwt = opts.jwt
  if not jwt then
    local file = opts.jwt_file or service_account_token
    local ok, text = pcall(fs.read, file)
    if not ok then
      lib.fail {
        kind = "config",
        message = "vault: cannot read the service-account token: " .. lib.text_of(text),
        hint = "mount the token (automountServiceAccountToken) or pass `jwt` or `jwt_file`",
      }
    end
    jwt = text:gsub("%s+$", "")
  end
  return M.login(client, (opts.mount or "kubernetes") .. "/login", { role = role, jwt = jwt })
end

return M
