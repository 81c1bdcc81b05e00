-- assay.vault.client: the connection that every other file of assay.vault works on.
global ipairs, pairs, require, setmetatable, string, table, type

local lib = require("assay.lib")
local rest = require("assay.lib.rest")

local M = {}

---@class vault.ClientOptions
---@field url? string `https://vault.example:8200`; not where it is an argument of its own
---@field token? string
---@field namespace? string sent as X-Vault-Namespace (Vault Enterprise, OpenBao 2.3 and later)
---@field headers? table<string, string>
---@field timeout? number seconds for one request, 30 by default
---@field ca_cert? string path or PEM
---@field client_cert? string path or PEM
---@field client_key? string path or PEM
---@field insecure? boolean do not check the server's certificate
---@field proxy? string

---@type table<string, string>
local client_options = {
  url = "string",
  token = "string",
  namespace = "string",
  headers = "table",
  timeout = "number",
  ca_cert = "string",
  client_cert = "string",
  client_key = "string",
  insecure = "boolean",
  proxy = "string",
}

---@class (partial) vault.Client
---@field token? string
---@field namespace? string
---@field package rest rest.Client
local Client = {}
Client.__index = Client
M.Client = Client

-- Vault wraps the reason in a little report: "1 error occurred:\n\t* permission denied\n\n".
local function clean(text)
  local bullets = {}
  for line in text:gmatch("[^\n]+") do
    bullets[#bullets + 1] = line:match("^%s*%*%s*(.-)%s*$")
  end
  if text:find("^%d+ errors? occurred") and #bullets > 0 then
    return table.concat(bullets, "; ")
  end
  return (text:gsub("%s+$", ""):gsub("%s*\n%s*", " "))
end

local function server_message(_, body)
  local texts = {}
  for _, list in ipairs { body.errors or {}, body.warnings or {} } do
    for _, text in ipairs(list) do
      texts[#texts + 1] = clean(text)
    end
  end
  return #texts > 0 and table.concat(texts, "; ") or nil
end

---@param where string the function, for messages
---@param url string|vault.ClientOptions
---@param token? string
---@param opts? table more options, when the first argument is the URL
---@param level integer
---@return vault.Client
function M.new(where, url, token, opts, level)
  local settings
  if type(url) == "table" then
    settings = lib.options(where, url, client_options, level)
  else
    lib.argument(where, 1, "url", url, "string", level)
    lib.argument(where, 2, "token", token, "string|nil", level)
    settings = lib.options(where, opts, client_options, level)
    settings.url, settings.token = url, token or settings.token
  end
  local parsed = settings.url and lib.parse_url(settings.url)
  if not parsed or not (parsed.scheme == "http" or parsed.scheme == "https") then
    lib.usage(
      level,
      where .. ": url: expected an address such as `https://vault.example:8200`, got "
        .. (settings.url and "`" .. settings.url .. "`" or "nil")
    )
  end
  local self = setmetatable({ token = settings.token, namespace = settings.namespace }, Client)
  self.rest = rest.client {
    service = "vault",
    base_url = settings.url --[[@as string]],
    headers = settings.headers,
    timeout = settings.timeout,
    ca_cert = settings.ca_cert,
    client_cert = settings.client_cert,
    client_key = settings.client_key,
    insecure = settings.insecure,
    proxy = settings.proxy,
    message = server_message,
  }
  return self
end

-- Every path is percent-encoded here, once, and begins after `/v1/`.
local function full_path(path)
  local trimmed = path:gsub("^/+", "")
  return "/v1/" .. lib.encode_path(trimmed)
end

---Sends one request to `/v1/<path>`; the way to endpoints that have no function of their own.
---@param method string
---@param path string without `/v1/`, not yet percent-encoded
---@param call? rest.Call
---@return any body the whole answer; nil when it is empty
---@return integer status
function Client:request(method, path, call)
  local headers = {
    ["x-vault-token"] = self.token,
    ["x-vault-namespace"] = self.namespace,
  }
  call = call or {}
  for name, value in pairs(call.headers or {}) do
    headers[name:lower()] = value
  end
  local full = full_path(path)
  local resp = self.rest:request(method, full, {
    query = call.query,
    body = call.body,
    content_type = call.content_type,
    headers = headers,
    timeout = call.timeout,
    accept = call.accept,
  })
  return self.rest:decode(method, full, resp), resp.status
end

---Like `request`, for an answer that is text instead of JSON.
---@param method string
---@param path string
---@return string
function Client:request_text(method, path)
  local resp = self.rest:request(method, full_path(path), {
    headers = { ["x-vault-token"] = self.token, ["x-vault-namespace"] = self.namespace },
  })
  return resp.body
end

local missing = { [404] = true }

---Reads a path: the answer's `data`, or nil when there is nothing (404).
---@param path string without `/v1/`: `secret/data/app`
---@param query? table
---@return table?
function Client:read(path, query)
  lib.argument("vault.read", 1, "path", path, "string")
  local body, status = self:request("GET", path, { query = query, accept = missing })
  if status == 404 or body == nil then
    return nil
  end
  return body.data
end

---Writes to a path.
---@param path string
---@param payload? table
---@return any # the answer's `data`; nil when there is none
function Client:write(path, payload)
  lib.argument("vault.write", 1, "path", path, "string")
  lib.argument("vault.write", 2, "payload", payload, "table|nil")
  local body = self:request("POST", path, { body = payload or {} })
  return body and body.data
end

---@param path string
function Client:delete(path)
  lib.argument("vault.delete", 1, "path", path, "string")
  self:request("DELETE", path)
end

---The keys below a path; empty when there is nothing. Folders end with a slash.
---@param path string
---@return string[]
function Client:list(path)
  lib.argument("vault.list", 1, "path", path, "string")
  local body, status = self:request("LIST", path, { accept = missing })
  if status == 404 or body == nil or body.data == nil then
    return {}
  end
  return body.data.keys or {}
end

---The same client for another namespace.
---@param namespace string
---@return vault.Client
function Client:with_namespace(namespace)
  lib.argument("vault.with_namespace", 1, "namespace", namespace, "string")
  return setmetatable({ token = self.token, namespace = namespace, rest = self.rest }, Client)
end

return M
