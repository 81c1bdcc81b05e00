-- assay.vault.transit: encryption as a service. Plaintexts are bytes; the base64 is done here.
global base64, require

local lib = require("assay.lib")

local M = {}

-- The mount is an option, because almost everybody has one, named `transit`.
local spec = { mount = "string" }

local function mount_of(where, opts)
  return lib.options(where, opts, spec, 3).mount or "transit"
end

---@param client vault.Client
---@param key_name string
---@param plaintext string bytes
---@param opts? {mount?: string}
---@return string ciphertext
function M.encrypt(client, key_name, plaintext, opts)
  lib.argument("vault.transit_encrypt", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_encrypt", 2, "plaintext", plaintext, "bytes")
  local mount = mount_of("vault.transit_encrypt", opts)
  return client:write(mount .. "/encrypt/" .. key_name, { plaintext = base64.encode(plaintext) }).ciphertext
end

---@param client vault.Client
---@param key_name string
---@param ciphertext string `vault:v1:...`
---@param opts? {mount?: string}
---@return string plaintext
function M.decrypt(client, key_name, ciphertext, opts)
  lib.argument("vault.transit_decrypt", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_decrypt", 2, "ciphertext", ciphertext, "string")
  local mount = mount_of("vault.transit_decrypt", opts)
  return base64.decode(client:write(mount .. "/decrypt/" .. key_name, { ciphertext = ciphertext }).plaintext)
end

---Encrypts a ciphertext anew with the newest version of its key, without showing the plaintext.
---@param client vault.Client
---@param key_name string
---@param ciphertext string
---@param opts? {mount?: string}
---@return string ciphertext
function M.rewrap(client, key_name, ciphertext, opts)
  lib.argument("vault.transit_rewrap", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_rewrap", 2, "ciphertext", ciphertext, "string")
  local mount = mount_of("vault.transit_rewrap", opts)
  return client:write(mount .. "/rewrap/" .. key_name, { ciphertext = ciphertext }).ciphertext
end

---Creates a key; an existing one stays as it is.
---@param client vault.Client
---@param key_name string
---@param opts? table as the API takes them (`type`, `exportable`, ...), and `mount`
function M.create_key(client, key_name, opts)
  lib.argument("vault.transit_create_key", 1, "key_name", key_name, "string")
  local settings = lib.options("vault.transit_create_key", opts, {
    mount = "string",
    type = "string",
    derived = "boolean",
    convergent_encryption = "boolean",
    exportable = "boolean",
    allow_plaintext_backup = "boolean",
    key_size = "integer",
    auto_rotate_period = "string|integer",
  })
  local mount = settings.mount or "transit"
  settings.mount = nil
  client:write(mount .. "/keys/" .. key_name, settings)
end

---@param client vault.Client
---@param opts? {mount?: string}
---@return string[]
function M.list_keys(client, opts)
  local mount = mount_of("vault.transit_list_keys", opts)
  return client:list(mount .. "/keys")
end

---@param client vault.Client
---@param key_name string
---@param opts? {mount?: string}
---@return table? # nil when there is no such key
function M.read_key(client, key_name, opts)
  lib.argument("vault.transit_read_key", 1, "key_name", key_name, "string")
  local mount = mount_of("vault.transit_read_key", opts)
  return client:read(mount .. "/keys/" .. key_name)
end

---Gives a key a new version; old ciphertexts stay readable.
---@param client vault.Client
---@param key_name string
---@param opts? {mount?: string}
function M.rotate_key(client, key_name, opts)
  lib.argument("vault.transit_rotate_key", 1, "key_name", key_name, "string")
  local mount = mount_of("vault.transit_rotate_key", opts)
  client:request("POST", mount .. "/keys/" .. key_name .. "/rotate")
end

---@param client vault.Client
---@param key_name string
---@param settings {deletion_allowed?: boolean, min_decryption_version?: integer, min_encryption_version?: integer}
---@param opts? {mount?: string}
function M.configure_key(client, key_name, settings, opts)
  lib.argument("vault.transit_configure_key", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_configure_key", 2, "settings", settings, "table")
  local mount = mount_of("vault.transit_configure_key", opts)
  client:write(mount .. "/keys/" .. key_name .. "/config", settings)
end

---Deletes a key whose `deletion_allowed` is set.
---@param client vault.Client
---@param key_name string
---@param opts? {mount?: string}
function M.delete_key(client, key_name, opts)
  lib.argument("vault.transit_delete_key", 1, "key_name", key_name, "string")
  local mount = mount_of("vault.transit_delete_key", opts)
  client:delete(mount .. "/keys/" .. key_name)
end

---Signs bytes with a signing key.
---@param client vault.Client
---@param key_name string
---@param input string bytes
---@param opts? {mount?: string}
---@return string signature `vault:v1:...`
function M.sign(client, key_name, input, opts)
  lib.argument("vault.transit_sign", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_sign", 2, "input", input, "bytes")
  local mount = mount_of("vault.transit_sign", opts)
  return client:write(mount .. "/sign/" .. key_name, { input = base64.encode(input) }).signature
end

---@param client vault.Client
---@param key_name string
---@param input string bytes
---@param signature string
---@param opts? {mount?: string}
---@return boolean
function M.verify(client, key_name, input, signature, opts)
  lib.argument("vault.transit_verify", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_verify", 2, "input", input, "bytes")
  lib.argument("vault.transit_verify", 3, "signature", signature, "string")
  local mount = mount_of("vault.transit_verify", opts)
  return client:write(mount .. "/verify/" .. key_name, { input = base64.encode(input), signature = signature }).valid
end

---@param client vault.Client
---@param key_name string
---@param input string bytes
---@param opts? {mount?: string}
---@return string hmac `vault:v1:...`
function M.hmac(client, key_name, input, opts)
  lib.argument("vault.transit_hmac", 1, "key_name", key_name, "string")
  lib.argument("vault.transit_hmac", 2, "input", input, "bytes")
  local mount = mount_of("vault.transit_hmac", opts)
  return client:write(mount .. "/hmac/" .. key_name, { input = base64.encode(input) }).hmac
end

return M
