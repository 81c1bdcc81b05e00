-- assay.vault: HashiCorp Vault and OpenBao client.
global error, ipairs, math, pairs, pcall, require, string, table, type

local lib = require("assay.lib")
local client = require("assay.vault.client")

local M = {}

---The methods that come from the other files; a test holds this list to what is there.
---@class (partial) vault.Client
---@field health fun(self: vault.Client): {initialized: boolean, sealed: boolean, standby: boolean, version: string}
---@field seal_status fun(self: vault.Client): {sealed: boolean, initialized: boolean, t: integer, n: integer, progress: integer}
---@field is_sealed fun(self: vault.Client): boolean
---@field is_initialized fun(self: vault.Client): boolean
---@field policy_get fun(self: vault.Client, name: string): {name: string, policy: string}?
---@field policy_put fun(self: vault.Client, name: string, rules: string)
---@field policy_delete fun(self: vault.Client, name: string)
---@field policy_list fun(self: vault.Client): string[]
---@field kv_get fun(self: vault.Client, mount: string, key: string, opts?: {version?: integer}): {data: table, metadata: table}?
---@field kv_put fun(self: vault.Client, mount: string, key: string, data: table, opts?: {cas?: integer}): table
---@field kv_delete fun(self: vault.Client, mount: string, key: string)
---@field kv_list fun(self: vault.Client, mount: string, prefix?: string): string[]
---@field kv_metadata fun(self: vault.Client, mount: string, key: string): {data: table}?
---@field kv_put_metadata fun(self: vault.Client, mount: string, key: string, settings: table)
---@field kv_delete_metadata fun(self: vault.Client, mount: string, key: string)
---@field auth_enable fun(self: vault.Client, path: string, auth_type: string, opts?: {description?: string, config?: table, options?: table, ["local"]?: boolean})
---@field auth_disable fun(self: vault.Client, path: string)
---@field auth_list fun(self: vault.Client): table<string, table>
---@field auth_config fun(self: vault.Client, path: string, config: table)
---@field auth_create_role fun(self: vault.Client, path: string, role_name: string, role_config: table)
---@field auth_read_role fun(self: vault.Client, path: string, role_name: string): table?
---@field auth_list_roles fun(self: vault.Client, path: string): string[]
---@field auth_delete_role fun(self: vault.Client, path: string, role_name: string)
---@field auth_login fun(self: vault.Client, path: string, payload: table): vault.Auth
---@field auth_login_kubernetes fun(self: vault.Client, role: string, opts?: {mount?: string, jwt?: string, jwt_file?: string}): vault.Auth
---@field engine_enable fun(self: vault.Client, path: string, engine_type: string, opts?: {description?: string, config?: table, options?: table, ["local"]?: boolean, seal_wrap?: boolean})
---@field engine_disable fun(self: vault.Client, path: string)
---@field engine_list fun(self: vault.Client): table<string, table>
---@field engine_tune fun(self: vault.Client, path: string, config: table)
---@field token_create fun(self: vault.Client, opts?: table): vault.Auth
---@field token_lookup fun(self: vault.Client, token_value: string): table
---@field token_lookup_self fun(self: vault.Client): table
---@field token_revoke fun(self: vault.Client, token_value: string)
---@field token_revoke_self fun(self: vault.Client)
---@field token_renew fun(self: vault.Client, token_value: string, increment?: string|integer): vault.Auth
---@field token_renew_self fun(self: vault.Client, increment?: string|integer): vault.Auth
---@field token_keep_renewed fun(self: vault.Client, opts?: {increment?: string|integer, interval?: number}): {cancel: fun(self)}
---@field transit_encrypt fun(self: vault.Client, key_name: string, plaintext: string, opts?: {mount?: string}): string
---@field transit_decrypt fun(self: vault.Client, key_name: string, ciphertext: string, opts?: {mount?: string}): string
---@field transit_rewrap fun(self: vault.Client, key_name: string, ciphertext: string, opts?: {mount?: string}): string
---@field transit_create_key fun(self: vault.Client, key_name: string, opts?: table)
---@field transit_list_keys fun(self: vault.Client, opts?: {mount?: string}): string[]
---@field transit_read_key fun(self: vault.Client, key_name: string, opts?: {mount?: string}): table?
---@field transit_rotate_key fun(self: vault.Client, key_name: string, opts?: {mount?: string})
---@field transit_configure_key fun(self: vault.Client, key_name: string, settings: {deletion_allowed?: boolean, min_decryption_version?: integer, min_encryption_version?: integer}, opts?: {mount?: string})
---@field transit_delete_key fun(self: vault.Client, key_name: string, opts?: {mount?: string})
---@field transit_sign fun(self: vault.Client, key_name: string, input: string, opts?: {mount?: string}): string
---@field transit_verify fun(self: vault.Client, key_name: string, input: string, signature: string, opts?: {mount?: string}): boolean
---@field transit_hmac fun(self: vault.Client, key_name: string, input: string, opts?: {mount?: string}): string
---@field pki_issue fun(self: vault.Client, mount: string, role_name: string, opts?: table): table
---@field pki_ca_cert fun(self: vault.Client, mount?: string): string?
---@field pki_create_role fun(self: vault.Client, mount: string, role_name: string, opts?: table)
---@field pki_read_role fun(self: vault.Client, mount: string, role_name: string): table?
---@field pki_list_roles fun(self: vault.Client, mount: string): string[]
---@field pki_generate_root fun(self: vault.Client, mount: string, opts: table): table
---@field pki_list_certs fun(self: vault.Client, mount: string): string[]
---@field pki_read_cert fun(self: vault.Client, mount: string, serial: string): {certificate: string, revocation_time: integer}?
---@field pki_revoke fun(self: vault.Client, mount: string, serial: string): {revocation_time: integer}
---@field pki_crl fun(self: vault.Client, mount?: string): string
---@field kv_delete_versions fun(self: vault.Client, mount: string, key: string, versions: integer[])
---@field kv_undelete fun(self: vault.Client, mount: string, key: string, versions: integer[])
---@field kv_destroy fun(self: vault.Client, mount: string, key: string, versions: integer[])

-- Each file's functions take the client first, so that they are its methods too:
-- `kv.get(c, "secret", "app")` is `c:kv_get("secret", "app")`.
local families = {
  { prefix = "", module = require("assay.vault.sys") },
  { prefix = "kv_", module = require("assay.vault.kv") },
  { prefix = "auth_", module = require("assay.vault.auth") },
  { prefix = "engine_", module = require("assay.vault.engine") },
  { prefix = "token_", module = require("assay.vault.token") },
  { prefix = "transit_", module = require("assay.vault.transit") },
  { prefix = "pki_", module = require("assay.vault.pki") },
}
for _, family in ipairs(families) do
  for name, fn in pairs(family.module) do
    client.Client[family.prefix .. name] = fn
  end
end

---Makes a client: `vault.client(url, token)` or `vault.client{url = ..., token = ...}`.
---@param url string|vault.ClientOptions
---@param token? string
---@param opts? vault.ClientOptions when the first argument is the URL
---@return vault.Client
function M.client(url, token, opts)
  local made = client.new("vault.client", url, token, opts, 3)
  return made
end

---@class vault.WaitOptions
---@field timeout? number wall-clock seconds, 60 by default
---@field interval? number seconds between two looks, 1 by default
---@field health_path? string `/v1/sys/health` by default; may carry a query
---@field ca_cert? string
---@field insecure? boolean
---@field headers? table<string, string>

-- Unsealed and serving; a standby passes requests on.
---@type table<integer, boolean>
local usable = { [429] = true, [473] = true }
local states = { [472] = "disaster-recovery standby", [501] = "not initialized", [503] = "sealed" }

local function await(c, opts)
  return lib.wait {
    service = "vault",
    what = c.rest.base_url .. " to be ready",
    timeout = opts.timeout or 60,
    interval = opts.interval,
    check = function(remaining)
      local resp = c.rest:request("GET", opts.health_path or "/v1/sys/health", {
        timeout = math.min(remaining, 10),
        accept = { [429] = true, [472] = true, [473] = true, [501] = true, [503] = true },
      })
      local status = resp.status
      if status < 300 or usable[status] then
        return true
      end
      return nil, string.format("HTTP %d (%s)", status, states[status])
    end,
  }
end

---Waits until the server is initialized, unsealed and serving; raises after the timeout with the
---last state seen.
---@param url string
---@param opts? vault.WaitOptions
---@return true
function M.wait(url, opts)
  lib.argument("vault.wait", 1, "url", url, "string")
  opts = lib.options("vault.wait", opts, {
    timeout = "number",
    interval = "number",
    health_path = "string",
    ca_cert = "string",
    insecure = "boolean",
    headers = "table",
  })
  local connection = { url = url, ca_cert = opts.ca_cert, insecure = opts.insecure, headers = opts.headers }
  return await(client.new("vault.wait", connection, nil, nil, 3), opts)
end

---@class vault.AuthenticatedOptions
---@field secret_namespace? string "secrets" by default
---@field secret_name? string "openbao-root-token" by default
---@field secret_key? string "root-token" by default
---@field timeout? number seconds to wait for the server, 60 by default
---@field k8s? k8s.ConnectionOptions how to reach Kubernetes; the pod's own cluster by default
---@field namespace? string Vault namespace
---@field ca_cert? string
---@field insecure? boolean
---@field headers? table<string, string>

---Waits for the server, reads its token from a Kubernetes secret and makes a client with it.
---@param url string
---@param opts? vault.AuthenticatedOptions
---@return vault.Client
function M.authenticated_client(url, opts)
  lib.argument("vault.authenticated_client", 1, "url", url, "string")
  opts = lib.options("vault.authenticated_client", opts, {
    secret_namespace = "string",
    secret_name = "string",
    secret_key = "string",
    timeout = "number",
    k8s = "table",
    namespace = "string",
    ca_cert = "string",
    insecure = "boolean",
    headers = "table",
  })
  local c = client.new("vault.authenticated_client", {
    url = url,
    namespace = opts.namespace,
    ca_cert = opts.ca_cert,
    insecure = opts.insecure,
    headers = opts.headers,
  }, nil, nil, 3)
  await(c, { timeout = opts.timeout })
  local namespace = opts.secret_namespace or "secrets"
  local name = opts.secret_name or "openbao-root-token"
  local key = opts.secret_key or "root-token"
  local secret = require("assay.k8s").client(opts.k8s):get_secret(namespace, name)
  local token = secret[key]
  if not token or token == "" then
    local keys = {}
    for found in pairs(secret) do
      keys[#keys + 1] = found
    end
    table.sort(keys)
    lib.fail {
      kind = "config",
      message = string.format("vault: secret %s/%s has no key `%s`", namespace, name, key),
      hint = #keys > 0 and "it has " .. table.concat(keys, ", ") or "it is empty",
    }
  end
  c.token = token:gsub("%s+$", "")
  return c
end

local function present(value)
  return value ~= nil and value ~= ""
end

---Returns the credentials at a KV path; makes and stores them first when `check_key` is missing.
---Safe to run twice and at the same time: whoever stores first wins, the others get those.
---@param c vault.Client
---@param path string below the mount
---@param check_key string
---@param generator fun(existing?: table): table makes the credentials; keys that exist already are kept
---@param opts? {mount?: string} "secrets" by default
---@return table credentials
---@return boolean created
function M.ensure_credentials(c, path, check_key, generator, opts)
  lib.argument("vault.ensure_credentials", 1, "client", c, "table")
  lib.argument("vault.ensure_credentials", 2, "path", path, "string")
  lib.argument("vault.ensure_credentials", 3, "check_key", check_key, "string")
  lib.argument("vault.ensure_credentials", 4, "generator", generator, "function")
  local mount = lib.options("vault.ensure_credentials", opts, { mount = "string" }).mount or "secrets"
  local function current()
    local body, status = c:request("GET", mount .. "/data/" .. path, { accept = { [404] = true } })
    local found = body and body.data or {}
    -- The write below is refused unless this is still the newest version. A deleted version
    -- answers 404 and still counts; 0 stands for no version at all.
    local version = found.metadata and found.metadata.version or (status == 404 and 0 or nil)
    return found.data or {}, version
  end
  local existing, version = current()
  if present(existing[check_key]) then
    return existing, false
  end
  local made = generator(existing)
  if type(made) ~= "table" or not present(made[check_key]) then
    lib.usage(
      2,
      "vault.ensure_credentials: the generator returned "
        .. (type(made) == "table" and "no `" .. check_key .. "`" or type(made) .. " instead of a table")
    )
  end
  local merged = {}
  for key, value in pairs(made) do
    merged[key] = value
  end
  for key, value in pairs(existing) do
    if present(value) then
      merged[key] = value
    end
  end
  local ok, err = pcall(c.kv_put, c, mount, path, merged, { cas = version })
  if ok then
    return merged, true
  end
  if lib.status_of(err) == 400 and lib.text_of(err):find("check-and-set", 1, true) then
    local theirs = current()
    if present(theirs[check_key]) then
      return theirs, false
    end
  end
  error(err, 0)
end

---Raises unless the secret at a KV path has all the keys, none of them empty.
---@param c vault.Client
---@param path string below the mount
---@param expected_keys string[]
---@param opts? {mount?: string} "secrets" by default
---@return table data
function M.assert_secret(c, path, expected_keys, opts)
  lib.argument("vault.assert_secret", 1, "client", c, "table")
  lib.argument("vault.assert_secret", 2, "path", path, "string")
  lib.argument("vault.assert_secret", 3, "expected_keys", expected_keys, "table")
  local mount = lib.options("vault.assert_secret", opts, { mount = "string" }).mount or "secrets"
  local found = c:kv_get(mount, path)
  if not found then
    lib.fail { kind = "failed", message = string.format("vault: secret %s/%s does not exist", mount, path) }
  end
  local missing = {}
  for _, key in ipairs(expected_keys) do
    if not present(found.data[key]) then
      missing[#missing + 1] = key
    end
  end
  if #missing > 0 then
    lib.fail {
      kind = "failed",
      message = string.format("vault: secret %s/%s lacks %s", mount, path, table.concat(missing, ", ")),
    }
  end
  return found.data
end

return M
