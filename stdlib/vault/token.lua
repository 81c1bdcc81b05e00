-- assay.vault.token: tokens: create, look up, renew, revoke.
global async, log, math, pcall, require, sleep

local lib = require("assay.lib")

local M = {}

---@param client vault.Client
---@param opts? table as the API takes them: `{policies = {"app"}, ttl = "1h", renewable = true}`
---@return vault.Auth
function M.create(client, opts)
  lib.argument("vault.token_create", 1, "opts", opts, "table|nil")
  return client:request("POST", "auth/token/create", { body = opts or {} }).auth
end

---@param client vault.Client
---@param token_value string
---@return table
function M.lookup(client, token_value)
  lib.argument("vault.token_lookup", 1, "token_value", token_value, "string")
  return client:write("auth/token/lookup", { token = token_value })
end

---@param client vault.Client
---@return table
function M.lookup_self(client)
  return client:read("auth/token/lookup-self") --[[@as table]]
end

---@param client vault.Client
---@param token_value string
function M.revoke(client, token_value)
  lib.argument("vault.token_revoke", 1, "token_value", token_value, "string")
  client:write("auth/token/revoke", { token = token_value })
end

---@param client vault.Client
function M.revoke_self(client)
  client:request("POST", "auth/token/revoke-self")
end

---@param client vault.Client
---@param token_value string
---@param increment? string|integer how long from now, `"30m"` or seconds; the server may grant less
---@return vault.Auth
function M.renew(client, token_value, increment)
  lib.argument("vault.token_renew", 1, "token_value", token_value, "string")
  lib.argument("vault.token_renew", 2, "increment", increment, "string|number|nil")
  return client:request("POST", "auth/token/renew", { body = { token = token_value, increment = increment } }).auth
end

---@param client vault.Client
---@param increment? string|integer
---@return vault.Auth
function M.renew_self(client, increment)
  lib.argument("vault.token_renew_self", 1, "increment", increment, "string|number|nil")
  return client:request("POST", "auth/token/renew-self", { body = { increment = increment } }).auth
end

---Renews the client's token in the background for as long as the program runs: first now, then
---whenever two thirds of the lease are over. A failed renewal is logged and tried again.
---@param client vault.Client
---@param opts? {increment?: string|integer, interval?: number} `interval`: seconds, instead of two thirds of the lease
---@return {cancel: fun(self)}
function M.keep_renewed(client, opts)
  opts = lib.options("vault.token_keep_renewed", opts, { increment = "string|number", interval = "number" })
  local auth = M.renew_self(client, opts.increment)
  return async.spawn(function()
    local pause = opts.interval or auth.lease_duration * 2 / 3
    while true do
      sleep(math.max(pause, 0.01))
      local ok, result = pcall(M.renew_self, client, opts.increment)
      if ok then
        pause = opts.interval or result.lease_duration * 2 / 3
      else
        log.warn("vault: the token was not renewed: " .. lib.text_of(result))
        pause = opts.interval or math.max(1, pause / 2)
      end
    end
  end)
end

return M
