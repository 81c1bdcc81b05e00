-- assay.vault.sys: health, seal and policies.
global require

local lib = require("assay.lib")

local M = {}

-- The health endpoint tells the state by its status: standby, sealed, not initialized.
local health_states = { [429] = true, [472] = true, [473] = true, [501] = true, [503] = true }

---The server's health, also while it is sealed or not initialized.
---@param client vault.Client
---@return {initialized: boolean, sealed: boolean, standby: boolean, version: string}
function M.health(client)
  return (client:request("GET", "sys/health", { accept = health_states }))
end

---@param client vault.Client
---@return {sealed: boolean, initialized: boolean, t: integer, n: integer, progress: integer}
function M.seal_status(client)
  return (client:request("GET", "sys/seal-status"))
end

---@param client vault.Client
---@return boolean
function M.is_sealed(client)
  return M.seal_status(client).sealed
end

---@param client vault.Client
---@return boolean
function M.is_initialized(client)
  return M.seal_status(client).initialized
end

---@param client vault.Client
---@param name string
---@return {name: string, policy: string}? # nil when there is no such policy
function M.policy_get(client, name)
  lib.argument("vault.policy_get", 1, "name", name, "string")
  return client:read("sys/policies/acl/" .. name)
end

---Creates or replaces a policy.
---@param client vault.Client
---@param name string
---@param rules string HCL
function M.policy_put(client, name, rules)
  lib.argument("vault.policy_put", 1, "name", name, "string")
  lib.argument("vault.policy_put", 2, "rules", rules, "string")
  client:request("PUT", "sys/policies/acl/" .. name, { body = { policy = rules } })
end

---@param client vault.Client
---@param name string
function M.policy_delete(client, name)
  lib.argument("vault.policy_delete", 1, "name", name, "string")
  client:delete("sys/policies/acl/" .. name)
end

---@param client vault.Client
---@return string[]
function M.policy_list(client)
  return client:list("sys/policies/acl")
end

return M
