-- assay.lib.rest: a JSON-over-HTTP client with one way to send, decode and fail.
global error, http, json, math, pairs, pcall, require, setmetatable, string, table, tostring, type

local lib = require("assay.lib")

local M = {}

---@class rest.Options
---@field service string the name that starts every message: `vault`
---@field base_url string
---@field headers? table<string, string> sent with every request
---@field auth? fun(): table<string, string>? headers computed for each request, such as a token that rotates
---@field message? fun(resp: table, body: any): string? the server's own message in an error answer
---@field timeout? number seconds for one request, 30 by default
---@field ca_cert? string path or PEM of roots to trust as well
---@field client_cert? string path or PEM
---@field client_key? string path or PEM
---@field proxy? string
---@field insecure? boolean do not check the server's certificate

---@class rest.Call
---@field query? table
---@field body? any a table becomes JSON, a string goes as it is
---@field content_type? string of the body, `application/json` by default
---@field headers? table<string, string?>
---@field timeout? number
---@field stream? boolean leave the answer's body as an iterator
---@field accept? table<integer, boolean> statuses beside 2xx that are an answer, not an error

---@class rest.Client
---@field service string
---@field base_url string
---@field package headers table<string, string>
---@field package auth? fun(): table<string, string>?
---@field package message? fun(resp: table, body: any): string?
---@field package timeout? number
---@field package pool http.Client
local Client = {}
Client.__index = Client

-- Clients with the same connection settings share a pool for as long as one of them lives:
-- module functions that make a client for each call would otherwise shake hands each time.
local pools = setmetatable({}, { __mode = "v" })
local connection_options = { "ca_cert", "client_cert", "client_key", "proxy" }

local function pool_for(opts)
  local settings = { insecure = opts.insecure or false, timeout = opts.timeout or 30 }
  local parts = { tostring(settings.insecure), tostring(settings.timeout) }
  for i = 1, #connection_options do
    local name = connection_options[i]
    settings[name] = opts[name]
    parts[#parts + 1] = opts[name] or ""
  end
  local key = table.concat(parts, "\0")
  local pool = pools[key]
  if not pool then
    pool = http.client(settings)
    pools[key] = pool
  end
  return pool
end

---Makes a client. It sends nothing until its first request.
---@param opts rest.Options
---@return rest.Client
function M.client(opts)
  return setmetatable({
    service = opts.service,
    base_url = (opts.base_url:gsub("/+$", "")),
    headers = opts.headers or {},
    auth = opts.auth,
    message = opts.message,
    timeout = opts.timeout,
    pool = pool_for(opts),
  }, Client)
end

local reasons = {
  [400] = "bad request", [401] = "unauthorized", [403] = "forbidden", [404] = "not found",
  [405] = "method not allowed", [409] = "conflict", [410] = "gone", [422] = "invalid",
  [429] = "too many requests", [500] = "internal server error", [502] = "bad gateway",
  [503] = "service unavailable", [504] = "gateway timeout",
}

-- The text of an answer that is not the JSON one hoped for: its first line, at most.
local function first_line(text)
  local line = (text or ""):match("^%s*([^\r\n]*)")
  if line == "" then
    return nil
  end
  return #line > 200 and line:sub(1, 200) .. "..." or line
end

---Raises for an answer: `vault: GET /v1/x HTTP 403: permission denied`.
---@param method string
---@param path string
---@param resp table
function Client:fail(method, path, resp)
  local text = resp.body
  if type(text) ~= "string" then -- a stream
    local pieces = {}
    for piece in text do
      pieces[#pieces + 1] = piece
    end
    text = table.concat(pieces)
  end
  local ok, body = pcall(json.parse, text)
  local message
  if ok and type(body) == "table" and self.message then
    message = self.message(resp, body)
  end
  if not (ok and type(body) == "table") then
    message = first_line(text)
  end
  lib.fail {
    kind = "http",
    status = resp.status,
    message = string.format(
      "%s: %s %s HTTP %d: %s", self.service, method, path, resp.status,
      message or reasons[resp.status] or "no message from the server"
    ),
    body = ok and body or nil,
  }
end

-- A transport error without the name of the function that raised it: `connect: connection refused (...)`.
local function bare(err)
  return (tostring(err.message):gsub("^http[%w.:]*: ", ""))
end

---Sends one request and returns the http plugin's response; raises for any status that is
---neither 2xx nor in `call.accept`, and for a transport failure.
---@param method string
---@param path string percent-encoded
---@param call? rest.Call
---@return table
function Client:request(method, path, call)
  call = call or {}
  local headers = {}
  local function add(more)
    for name, value in pairs(more or {}) do
      headers[name:lower()] = value
    end
  end
  add(self.headers)
  if self.auth then
    add(self.auth())
  end
  add(call.headers)
  local body = call.body
  if body ~= nil then
    headers["content-type"] = call.content_type or headers["content-type"] or "application/json"
    if type(body) ~= "string" then
      body = json.encode(body)
    end
  end
  local ok, resp = pcall(self.pool.request, self.pool, {
    method = method,
    url = lib.url(self.base_url, path, call.query),
    headers = headers,
    body = body,
    timeout = call.timeout or self.timeout,
    stream = call.stream,
    -- A stream is read bit by bit: its length is no matter of memory.
    max_body = call.stream and math.maxinteger or nil,
  })
  if not ok then
    if type(resp) ~= "table" then
      error(resp, 0)
    end
    -- The plugin's error, under the name of who asked and for what.
    lib.fail {
      kind = resp.kind,
      message = string.format("%s: %s %s: %s", self.service, method, path, bare(resp)),
      hint = resp.hint,
    }
  end
  local status = resp.status
  if not ((status >= 200 and status < 300) or (call.accept and call.accept[status])) then
    self:fail(method, path, resp)
  end
  return resp
end

---Decodes a JSON answer; nil when it has no body.
---@param method string
---@param path string
---@param resp table
---@return any
function Client:decode(method, path, resp)
  if resp.body == nil or resp.body == "" then
    return nil
  end
  local ok, body = pcall(json.parse, resp.body)
  if not ok then
    lib.fail {
      kind = "http",
      status = resp.status,
      message = string.format(
        "%s: %s %s: the answer is not JSON: %s", self.service, method, path, first_line(resp.body) or ""
      ),
      hint = "check that " .. self.base_url .. " is the address of the API itself, not of a proxy or a web page",
    }
  end
  return body
end

---Sends one request and decodes the JSON answer.
---@param method string
---@param path string percent-encoded
---@param call? rest.Call
---@return any body nil when the answer has none
---@return integer status
function Client:json(method, path, call)
  local resp = self:request(method, path, call)
  return self:decode(method, path, resp), resp.status
end

return M
