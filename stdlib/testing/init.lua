-- assay.testing: a strict mock server for library tests, which replays recorded exchanges.
global async, base64, debug, error, fs, http, ipairs, json, math, next, pairs, pcall, require, setmetatable
global sleep, string, table, time, tostring, type

local lib = require("assay.lib")

local M = {}

-- Recordings -----------------------------------------------------------------

---@class testing.Request
---@field method string
---@field path string as sent, percent-encoded
---@field query? table<string, string|string[]> decoded
---@field headers? table<string, string>
---@field body? any a table is JSON, a string text, `{base64 = ...}` bytes

---@class testing.Response
---@field status integer
---@field headers? table<string, string>
---@field body? any as in the request

---@class testing.Exchange
---@field name string
---@field note? string
---@field request testing.Request
---@field response testing.Response

---@class testing.Recording
---@field system string
---@field version string
---@field exchanges testing.Exchange[]
---@field package by_name table<string, testing.Exchange>
local Recording = {}
Recording.__index = Recording

local this = debug.getinfo(1, "S")
local here = this and this.source:match("^@(.*)/[^/]*$") or "."

---Reads a recording: a file's path, or the name of one that comes with this library
---(`kubernetes`, `vault`).
---@param name string
---@return testing.Recording
function M.recording(name)
  lib.argument("testing.recording", 1, "name", name, "string")
  local path = name
  if not name:find("[/.]") then
    path = here .. "/recordings/" .. name .. ".json"
  end
  local recording = json.parse(fs.read(path), { null = true })
  recording.by_name = {}
  for _, exchange in ipairs(recording.exchanges) do
    recording.by_name[exchange.name] = exchange
  end
  return setmetatable(recording, Recording)
end

---The exchange of that name.
---@param name string
---@return testing.Exchange
function Recording:exchange(name)
  local found = self.by_name[name]
  if not found then
    local close = lib.suggest(name, self.by_name)
    lib.usage(
      2,
      string.format("testing: the recording of %s has no exchange `%s`", self.system, name),
      close and "did you mean `" .. close .. "`?" or nil
    )
  end
  return found
end

-- Comparing ------------------------------------------------------------------

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function show(value)
  if value == nil then
    return "nothing"
  end
  if type(value) == "table" then
    local ok, text = pcall(json.encode, value)
    return ok and text or tostring(value)
  end
  return type(value) == "string" and string.format("%q", value) or tostring(value)
end

-- Headers that change what a server does: sent without being expected, they are a mistake
-- just as much as when they are missing.
local meaningful = {
  "authorization", "content-type", "x-vault-token", "x-vault-namespace", "x-vault-wrap-ttl",
  "x-vault-no-request-forwarding", "if-match", "if-none-match", "range",
}

local function bytes_of(body)
  if type(body) == "table" and body.base64 and next(body, next(body)) == nil then
    return base64.decode(body.base64)
  end
  return nil
end

-- What differs between an expected and a received request, in words.
local function differences(expected, got)
  local found = {}
  local function differ(what, wanted, received)
    found[#found + 1] = string.format("%s: expected %s, got %s", what, show(wanted), show(received))
  end
  if expected.method ~= got.method then
    differ("method", expected.method, got.method)
  end
  if expected.path ~= got.path then
    differ("path", expected.path, got.path)
  end
  local query = expected.query or {}
  if not equal(query, got.query) then
    differ("query", query, got.query)
  end
  local headers = {}
  for name, value in pairs(expected.headers or {}) do
    headers[name:lower()] = value
  end
  for name, value in pairs(headers) do
    if got.headers[name] ~= value then
      differ("header " .. name, value, got.headers[name])
    end
  end
  for _, name in ipairs(meaningful) do
    if headers[name] == nil and got.headers[name] ~= nil then
      differ("header " .. name, nil, got.headers[name])
    end
  end
  local wanted = expected.body
  if wanted == nil or wanted == "" then
    if got.body ~= "" then
      differ("body", nil, got.body)
    end
  elseif bytes_of(wanted) then
    if bytes_of(wanted) ~= got.body then
      differ("body", wanted, got.body)
    end
  elseif type(wanted) == "table" then
    local ok, received = pcall(json.parse, got.body, { null = true })
    if not ok or not equal(wanted, received) then
      differ("body", wanted, ok and received or got.body)
    end
  elseif wanted ~= got.body then
    differ("body", wanted, got.body)
  end
  return found
end

-- Server ---------------------------------------------------------------------

---@class testing.Server
---@field url string `http://127.0.0.1:PORT`
---@field requests testing.Request[] everything received
---@field package recording? testing.Recording
---@field package expected table[]
---@field package next integer the expectation whose turn it is
---@field package failures string[]
---@field package task? {cancel: fun(self)}
local Server = {}
Server.__index = Server

---What to change about a recorded exchange for one expectation. A change of the request says what
---this client sends instead; the answer stays the recorded one, unless the test is about an answer
---that arrives in another way (in small chunks, late).
---@class testing.ReplayOptions
---@field request? table fields that replace those of the recorded request
---@field drop_headers? string[] recorded request headers that this client does not send
---@field times? integer how often, 1 by default
---@field chunk_size? integer send the body in pieces of this many bytes
---@field delay? number seconds to wait before the answer

local function describe_request(request)
  local text = request.method .. " " .. request.path
  if request.query and next(request.query) then
    text = text .. "?" .. lib.query(request.query)
  end
  return text
end

local function answer_of(exchange, options)
  local recorded = exchange.response
  local headers = {}
  for name, value in pairs(recorded.headers or {}) do
    local lower = name:lower()
    -- These two describe the recorded connection, not the answer.
    if lower ~= "transfer-encoding" and lower ~= "content-length" then
      headers[name] = value
    end
  end
  local body = recorded.body
  if bytes_of(body) then
    body = bytes_of(body)
  elseif type(body) == "table" then
    body = json.encode(body)
  elseif body == json.null then
    body = nil
  end
  if options.chunk_size then
    return {
      status = recorded.status,
      headers = headers,
      stream = function(write)
        for at = 1, #body, options.chunk_size do
          write(body:sub(at, at + options.chunk_size - 1))
        end
      end,
    }
  end
  return { status = recorded.status, headers = headers, body = body or "" }
end

local function refuse(self, request, lines)
  local text = "unexpected request " .. describe_request(request) .. "\n    " .. table.concat(lines, "\n    ")
  self.failures[#self.failures + 1] = text
  -- Both shapes in which servers explain themselves, so that the library's error shows it too.
  local message = "testing: " .. text:gsub("%s*\n%s*", "; ")
  return { status = 501, json = { message = message, errors = json.array { message } } }
end

local function handle(self, req)
  local request = {
    method = req.method,
    path = req.path,
    query = req.params or {},
    headers = req.headers,
    body = req.body or "",
  }
  self.requests[#self.requests + 1] = request
  local expected = self.expected[self.next]
  if not expected then
    return refuse(self, request, { "nothing more was expected" })
  end
  local found = differences(expected.request, request)
  if #found > 0 then
    table.insert(found, 1, "expected next: `" .. expected.name .. "`, " .. describe_request(expected.request))
    return refuse(self, request, found)
  end
  self.next = self.next + 1
  if expected.options.delay then
    sleep(expected.options.delay)
  end
  return answer_of(expected, expected.options)
end

-- A cancelled task ends when the loop next turns: this turns it, so that the port is closed on return.
local function stop(task)
  task:cancel()
  sleep(0)
end

-- Serves every request on a free port of the loopback interface, and waits until it listens.
local function listen(handler)
  local address, failure
  local task = async.spawn(function()
    local ok, err = pcall(http.serve, 0, { ["*"] = { ["/*"] = handler } }, {
      host = "127.0.0.1",
      on_listen = function(addr)
        address = addr
      end,
    })
    failure = not ok and err or nil
  end)
  local deadline = time() + 10
  while not address do
    if failure or time() > deadline then
      lib.fail { kind = "testing", message = "testing: the server did not start: " .. tostring(failure or "timeout") }
    end
    sleep(0.001)
  end
  return task, "http://" .. address
end

---Starts a server on a free port of the loopback interface.
---@param recording? string|testing.Recording where `replay` finds its exchanges
---@return testing.Server
function M.server(recording)
  if type(recording) == "string" then
    recording = M.recording(recording)
  end
  local self = setmetatable({ recording = recording, expected = {}, next = 1, failures = {}, requests = {} }, Server)
  self.task, self.url = listen(function(req)
    return handle(self, req)
  end)
  return self
end

---Expects one exchange of the recording next, and answers as recorded.
---@param name string
---@param options? testing.ReplayOptions
---@return testing.Server
function Server:replay(name, options)
  if not self.recording then
    lib.usage(2, "testing: replay needs a server with a recording: testing.server(\"kubernetes\")")
  end
  options = lib.options("testing.replay", options, {
    request = "table",
    drop_headers = "table",
    times = "integer",
    chunk_size = "integer",
    delay = "number",
  })
  local exchange = self.recording:exchange(name)
  ---@type table<string, any>
  local request = {}
  for key, value in pairs(exchange.request) do
    request[key] = value
  end
  if options.drop_headers then
    local dropped = {}
    for _, header in ipairs(options.drop_headers) do
      dropped[header:lower()] = true
    end
    request.headers = {}
    for header, value in pairs(exchange.request.headers or {}) do
      if not dropped[header:lower()] then
        request.headers[header] = value
      end
    end
  end
  for key, value in pairs(options.request or {}) do
    request[key] = value
  end
  for _ = 1, options.times or 1 do
    self.expected[#self.expected + 1] = {
      name = name,
      request = request,
      response = exchange.response,
      options = options,
    }
  end
  return self
end

---Expects an exchange that is written out instead of recorded. Say in the test where the answer is
---documented: a mock that answers what no server would answer hides mistakes.
---@param exchange {name?: string, note?: string, request: table, response: table}
---@return testing.Server
function Server:expect(exchange)
  exchange = lib.options("testing.expect", exchange, {
    name = "string",
    note = "string",
    request = "table",
    response = "table",
  })
  if not exchange.request or not exchange.response then
    lib.usage(2, "testing.expect: an exchange needs `request` and `response`")
  end
  local name = exchange.name or describe_request(exchange.request)
  self.expected[#self.expected + 1] =
    { name = name, request = exchange.request, response = exchange.response, options = {} }
  return self
end

---Forgets what is still expected: for a test that cannot know how often something is called. What came
---so far was still checked.
function Server:forget()
  for i = #self.expected, self.next, -1 do
    self.expected[i] = nil
  end
end

---Raises unless every expected request came, in order, and no other.
function Server:verify()
  local problems = {}
  for _, failure in ipairs(self.failures) do
    problems[#problems + 1] = failure
  end
  local last = math.min(#self.expected, self.next + 4)
  for i = self.next, last do
    local expected = self.expected[i]
    problems[#problems + 1] = "never called: `" .. expected.name .. "`, " .. describe_request(expected.request)
  end
  if #self.expected > last then
    problems[#problems + 1] = string.format("... and %d more never called", #self.expected - last)
  end
  if #problems > 0 then
    lib.fail { kind = "testing", message = "testing: " .. table.concat(problems, "\n  ") }
  end
end

---Stops the server without looking at what came.
function Server:close()
  if self.task then
    stop(self.task)
    self.task = nil
  end
end

---Stops the server and raises as `verify` does. Call it in `after_each`.
function Server:finish()
  self:close()
  self:verify()
end

---Calls a function that has to raise, and returns what it raised.
---@param fn fun()
---@return any
function M.raised(fn)
  local ok, err = pcall(fn)
  if ok then
    error("expected an error, none was raised", 2)
  end
  return err
end

-- Recording ------------------------------------------------------------------

---@class testing.RecorderOptions
---@field target string base URL of the real server
---@field system string
---@field version string
---@field headers? string[] request headers to keep, besides Content-Type
---@field redact? fun(exchange: testing.Exchange) takes secrets out before an exchange is kept
---@field client? table options for `http.client`, such as `ca_cert`

---@class testing.Recorder
---@field url string send the requests here
---@field package opts testing.RecorderOptions
---@field package exchanges testing.Exchange[]
---@field package pending? string
---@field package task {cancel: fun(self)}
local Recorder = {}
Recorder.__index = Recorder

local function body_of(text)
  if text == "" then
    return ""
  end
  local ok, parsed = pcall(json.parse, text, { null = true })
  if ok then
    return parsed
  end
  -- A recording is JSON itself, and JSON strings are text.
  return text:find("[\0-\8\14-\31\128-\255]") and { base64 = base64.encode(text) } or text
end

local kept_response_headers = { "content-type", "location", "link", "warning", "retry-after", "www-authenticate" }

---Starts a proxy in front of a real server that writes down what passes. `name` each request before
---it is sent: `recorder:name("secret get")`.
---@param opts testing.RecorderOptions
---@return testing.Recorder
function M.recorder(opts)
  opts = lib.options("testing.recorder", opts, {
    target = "string",
    system = "string",
    version = "string",
    headers = "table",
    redact = "function",
    client = "table",
  })
  for _, name in ipairs { "target", "system", "version" } do
    if not opts[name] then
      lib.usage(2, "testing.recorder: option `" .. name .. "` is missing")
    end
  end
  local self = setmetatable({ opts = opts, exchanges = {} }, Recorder)
  local client = http.client(opts.client or {})
  local function forward(req)
    local headers = {}
    for name, value in pairs(req.headers) do
      if name ~= "host" and name ~= "content-length" and name ~= "connection" and name ~= "accept-encoding" then
        headers[name] = value
      end
    end
    local url = opts.target:gsub("/+$", "") .. req.path
    if req.query and req.query ~= "" then
      url = url .. "?" .. req.query
    end
    local resp = client:request {
      method = req.method,
      url = url,
      headers = headers,
      body = req.body ~= "" and req.body or nil,
    }
    local kept = {}
    for _, name in ipairs(opts.headers or {}) do
      kept[name] = req.headers[name:lower()]
    end
    kept["Content-Type"] = req.headers["content-type"]
    local answered = {}
    for _, name in ipairs(kept_response_headers) do
      answered[name] = resp.headers[name]
    end
    local exchange = {
      name = self.pending or req.method .. " " .. req.path,
      request = { method = req.method, path = req.path, headers = kept },
      response = { status = resp.status, headers = answered },
    }
    if next(req.params or {}) then
      exchange.request.query = req.params
    end
    if req.body ~= "" then
      exchange.request.body = body_of(req.body)
    end
    if req.method ~= "HEAD" then
      exchange.response.body = body_of(resp.body)
    end
    self.pending = nil
    if opts.redact then
      opts.redact(exchange)
    end
    self.exchanges[#self.exchanges + 1] = exchange
    return { status = resp.status, headers = answered, body = resp.body }
  end
  self.task, self.url = listen(forward)
  return self
end

---Names the next request.
---@param name string
function Recorder:name(name)
  self.pending = name
end

---Writes the recording and stops the proxy.
---@param path string
function Recorder:save(path)
  stop(self.task)
  fs.write(path, json.encode({
    system = self.opts.system,
    version = self.opts.version,
    exchanges = json.array(self.exchanges),
  }, { pretty = true }) .. "\n")
end

return M
