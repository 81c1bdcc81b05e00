-- Prepares OpenBao (or Vault) for an application: a policy, and credentials that are generated once.
-- Safe to run again: the second run finds everything in place and changes nothing.
local vault = require("assay.vault")

-- Settings come from the environment; README.md lists them.
local function setting(name, default)
  local value = env.get(name)
  if value == nil or value == "" then
    return default
  end
  return value
end

local address = setting("OPENBAO_ADDR", "http://openbao.openbao.svc:8200")
local app = setting("APP_NAME", "shop")
local mount = setting("KV_MOUNT", "secrets")
local path = app .. "/database"

local rules = string.format(
  [[
# Written by openbao-bootstrap: what %s may do.
path "%s/data/%s/*" {
  capabilities = ["read"]
}
]],
  app, mount, app
)

log.info("waiting for " .. address)
local client = vault.authenticated_client(address, {
  secret_namespace = setting("TOKEN_SECRET_NAMESPACE", "openbao"),
  secret_name = setting("TOKEN_SECRET_NAME", "openbao-root-token"),
  secret_key = setting("TOKEN_SECRET_KEY", "root-token"),
  timeout = tonumber(setting("OPENBAO_TIMEOUT", "120")),
  ca_cert = setting("OPENBAO_CACERT"),
  namespace = setting("OPENBAO_NAMESPACE"),
  k8s = {
    -- Unset in a pod: the library finds its cluster and service account by itself.
    base_url = setting("KUBERNETES_API_URL"),
    token_file = setting("KUBERNETES_TOKEN_FILE"),
  },
})
local token = client:token_lookup_self()
log.info("logged in as " .. token.display_name .. " with policies " .. table.concat(token.policies, ", "))

local existing = client:policy_get(app)
if existing and existing.policy == rules then
  log.info("policy " .. app .. ": unchanged")
else
  client:policy_put(app, rules)
  log.info("policy " .. app .. ": " .. (existing and "updated" or "created"))
end

local _, created = vault.ensure_credentials(client, path, "password", function()
  return { username = app, password = crypto.random(32) }
end, { mount = mount })
log.info("credentials " .. mount .. "/" .. path .. ": " .. (created and "generated" or "kept"))

vault.assert_secret(client, path, { "username", "password" }, { mount = mount })
log.info("verified: " .. app .. " can be deployed")
