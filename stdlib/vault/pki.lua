-- assay.vault.pki: certificates. The mount comes first.
global require

local lib = require("assay.lib")

local M = {}

---Issues a certificate: `{certificate, issuing_ca, private_key, private_key_type, serial_number}`.
---@param client vault.Client
---@param mount string
---@param role_name string
---@param opts? table as the API takes them: `{common_name = "a.example.org", ttl = "1h"}`
---@return table
function M.issue(client, mount, role_name, opts)
  lib.argument("vault.pki_issue", 1, "mount", mount, "string")
  lib.argument("vault.pki_issue", 2, "role_name", role_name, "string")
  lib.argument("vault.pki_issue", 3, "opts", opts, "table|nil")
  return client:write(mount .. "/issue/" .. role_name, opts)
end

---The CA's certificate as PEM; nil while the mount has none.
---@param client vault.Client
---@param mount? string `pki` by default
---@return string?
function M.ca_cert(client, mount)
  lib.argument("vault.pki_ca_cert", 1, "mount", mount, "string|nil")
  local pem = client:request_text("GET", (mount or "pki") .. "/ca/pem")
  return pem ~= "" and pem or nil
end

---Creates or replaces a role.
---@param client vault.Client
---@param mount string
---@param role_name string
---@param opts? table as the API takes them: `{allowed_domains = {"example.org"}, max_ttl = "72h"}`
function M.create_role(client, mount, role_name, opts)
  lib.argument("vault.pki_create_role", 1, "mount", mount, "string")
  lib.argument("vault.pki_create_role", 2, "role_name", role_name, "string")
  lib.argument("vault.pki_create_role", 3, "opts", opts, "table|nil")
  client:write(mount .. "/roles/" .. role_name, opts)
end

---@param client vault.Client
---@param mount string
---@param role_name string
---@return table? # nil when there is no such role
function M.read_role(client, mount, role_name)
  lib.argument("vault.pki_read_role", 1, "mount", mount, "string")
  lib.argument("vault.pki_read_role", 2, "role_name", role_name, "string")
  return client:read(mount .. "/roles/" .. role_name)
end

---@param client vault.Client
---@param mount string
---@return string[]
function M.list_roles(client, mount)
  lib.argument("vault.pki_list_roles", 1, "mount", mount, "string")
  return client:list(mount .. "/roles")
end

---Makes the mount's own root CA; its private key never leaves the server.
---@param client vault.Client
---@param mount string
---@param opts table `{common_name = "ca.example", ttl = "8760h"}`
---@return table
function M.generate_root(client, mount, opts)
  lib.argument("vault.pki_generate_root", 1, "mount", mount, "string")
  lib.argument("vault.pki_generate_root", 2, "opts", opts, "table")
  return client:write(mount .. "/root/generate/internal", opts)
end

---The serial numbers of all issued certificates.
---@param client vault.Client
---@param mount string
---@return string[]
function M.list_certs(client, mount)
  lib.argument("vault.pki_list_certs", 1, "mount", mount, "string")
  return client:list(mount .. "/certs")
end

---@param client vault.Client
---@param mount string
---@param serial string `22:1c:...`
---@return {certificate: string, revocation_time: integer}?
function M.read_cert(client, mount, serial)
  lib.argument("vault.pki_read_cert", 1, "mount", mount, "string")
  lib.argument("vault.pki_read_cert", 2, "serial", serial, "string")
  return client:read(mount .. "/cert/" .. serial)
end

---@param client vault.Client
---@param mount string
---@param serial string
---@return {revocation_time: integer}
function M.revoke(client, mount, serial)
  lib.argument("vault.pki_revoke", 1, "mount", mount, "string")
  lib.argument("vault.pki_revoke", 2, "serial", serial, "string")
  return client:write(mount .. "/revoke", { serial_number = serial })
end

---The revocation list as PEM.
---@param client vault.Client
---@param mount? string `pki` by default
---@return string
function M.crl(client, mount)
  lib.argument("vault.pki_crl", 1, "mount", mount, "string|nil")
  return client:request_text("GET", (mount or "pki") .. "/crl/pem")
end

return M
