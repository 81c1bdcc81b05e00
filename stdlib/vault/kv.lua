-- assay.vault.kv: the key/value engine, version 2. The mount comes first.
global ipairs, require

local lib = require("assay.lib")

local M = {}

local function path(mount, part, key)
  return mount .. "/" .. part .. "/" .. key
end

local function check(where, mount, key)
  lib.argument(where, 1, "mount", mount, "string", 3)
  lib.argument(where, 2, "key", key, "string", 3)
end

---Reads a secret: `{data = {...}, metadata = {version = ...}}`; nil when there is none, or when
---its version is deleted.
---@param client vault.Client
---@param mount string
---@param key string
---@param opts? {version?: integer}
---@return {data: table, metadata: table}?
function M.get(client, mount, key, opts)
  check("vault.kv_get", mount, key)
  opts = lib.options("vault.kv_get", opts, { version = "integer" })
  return client:read(path(mount, "data", key), opts.version and { version = opts.version } or nil)
end

---Writes a secret as a new version: `{version = ..., created_time = ...}`.
---@param client vault.Client
---@param mount string
---@param key string
---@param data table
---@param opts? {cas?: integer} refuse the write (400) unless this is the current version; 0: must not exist
---@return table
function M.put(client, mount, key, data, opts)
  check("vault.kv_put", mount, key)
  lib.argument("vault.kv_put", 3, "data", data, "table")
  opts = lib.options("vault.kv_put", opts, { cas = "integer" })
  return client:write(path(mount, "data", key), { data = data, options = opts.cas and { cas = opts.cas } or nil })
end

---Deletes the newest version; `undelete` brings it back.
---@param client vault.Client
---@param mount string
---@param key string
function M.delete(client, mount, key)
  check("vault.kv_delete", mount, key)
  client:delete(path(mount, "data", key))
end

---The keys below a prefix; folders end with a slash.
---@param client vault.Client
---@param mount string
---@param prefix? string
---@return string[]
function M.list(client, mount, prefix)
  lib.argument("vault.kv_list", 1, "mount", mount, "string")
  return client:list(path(mount, "metadata", prefix or ""))
end

---The whole answer about a secret's versions, nil when there is none: the facts are in its
---`data`: `client:kv_metadata("secret", "app").data.current_version`.
---@param client vault.Client
---@param mount string
---@param key string
---@return {data: table}?
function M.metadata(client, mount, key)
  check("vault.kv_metadata", mount, key)
  local body, status = client:request("GET", path(mount, "metadata", key), { accept = { [404] = true } })
  return status ~= 404 and body or nil
end

---@param client vault.Client
---@param mount string
---@param key string
---@param settings table as the API takes them: `max_versions`, `cas_required`, `delete_version_after`, `custom_metadata`
function M.put_metadata(client, mount, key, settings)
  check("vault.kv_put_metadata", mount, key)
  client:write(path(mount, "metadata", key), settings)
end

---Removes a secret with all its versions for good.
---@param client vault.Client
---@param mount string
---@param key string
function M.delete_metadata(client, mount, key)
  check("vault.kv_delete_metadata", mount, key)
  client:delete(path(mount, "metadata", key))
end

local function on_versions(name, part)
  M[name] = function(client, mount, key, versions)
    check("vault.kv_" .. name, mount, key)
    lib.argument("vault.kv_" .. name, 3, "versions", versions, "table")
    client:write(path(mount, part, key), { versions = versions })
  end
end

-- Each: (client, mount, key, versions).
for _, row in ipairs {
  { "delete_versions", "delete" },
  { "undelete", "undelete" },
  { "destroy", "destroy" },
} do
  on_versions(row[1], row[2])
end

return M
