-- assay.vault.engine: secrets engines and where they are mounted.
global require

local lib = require("assay.lib")

local M = {}

---Mounts an engine. A path in use raises (400).
---@param client vault.Client
---@param path string
---@param engine_type string `kv`, `pki`, `transit`, ...
---@param opts? {description?: string, config?: table, options?: table, ["local"]?: boolean, seal_wrap?: boolean}
function M.enable(client, path, engine_type, opts)
  lib.argument("vault.engine_enable", 1, "path", path, "string")
  lib.argument("vault.engine_enable", 2, "engine_type", engine_type, "string")
  ---@type table
  local body = lib.options("vault.engine_enable", opts, {
    description = "string",
    config = "table",
    options = "table",
    ["local"] = "boolean",
    seal_wrap = "boolean",
  })
  body.type = engine_type
  client:write("sys/mounts/" .. path, body)
end

---Unmounts an engine with everything in it.
---@param client vault.Client
---@param path string
function M.disable(client, path)
  lib.argument("vault.engine_disable", 1, "path", path, "string")
  client:delete("sys/mounts/" .. path)
end

---@param client vault.Client
---@return table<string, table> # mount path with its slash → settings
function M.list(client)
  return client:read("sys/mounts") or {}
end

---@param client vault.Client
---@param path string
---@param config table
function M.tune(client, path, config)
  lib.argument("vault.engine_tune", 1, "path", path, "string")
  lib.argument("vault.engine_tune", 2, "config", config, "table")
  client:write("sys/mounts/" .. path .. "/tune", config)
end

return M
