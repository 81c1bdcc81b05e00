-- assay.k8s.client: the client object. Every verb of assay.k8s is a method here.
global base64, error, ipairs, json, log, math, next, pairs, pcall, require, setmetatable, string, table
global tostring, type

local lib = require("assay.lib")
local rest = require("assay.lib.rest")
local config = require("assay.k8s.config")
local exec = require("assay.k8s.exec")
local kinds = require("assay.k8s.kinds")
local ready = require("assay.k8s.ready")

local M = {}

---Where to connect to and as whom; see the README for what happens without any of these.
---@class k8s.ConnectionOptions
---@field base_url? string `https://host:port` of the API server
---@field token? string bearer token
---@field token_file? string read again for each request
---@field ca_cert? string path or PEM
---@field client_cert? string path or PEM
---@field client_key? string path or PEM
---@field kubeconfig? string path
---@field context? string of the kubeconfig
---@field service_account? string folder with `token` and `ca.crt`; the pod's own by default
---@field headers? table<string, string>
---@field timeout? number seconds for one request, 30 by default
---@field insecure? boolean do not check the server's certificate
---@field proxy? string

---@type table<string, string>
M.connection_options = {
  base_url = "string",
  token = "string",
  token_file = "string",
  ca_cert = "string",
  client_cert = "string",
  client_key = "string",
  kubeconfig = "string",
  context = "string",
  service_account = "string",
  headers = "table",
  timeout = "number",
  insecure = "boolean",
  proxy = "string",
}

---@class k8s.Client
---@field base_url string
---@field origin string where the cluster was found, in words
---@field package rest rest.Client
---@field package target fun(): k8s.ExecTarget what `exec` connects to
local Client = {}
Client.__index = Client
M.Client = Client

-- The server explains itself in a Status object.
local function status_message(_, body)
  return type(body.message) == "string" and body.message or nil
end

---Makes a client for one cluster.
---@param opts? k8s.ConnectionOptions
---@param level? integer
---@return k8s.Client
function M.new(opts, level)
  opts = lib.options("k8s.client", opts, M.connection_options, level)
  local target = config.target(opts)
  local headers = { accept = "application/json" }
  for name, value in pairs(target.headers or {}) do
    headers[name] = value
  end
  for name, value in pairs(opts.headers or {}) do
    headers[name:lower()] = value
  end
  local function auth()
    local token = target.token and target.token()
    return token and { authorization = "Bearer " .. token } or nil
  end
  return setmetatable({
    base_url = target.base_url,
    origin = target.origin,
    target = function()
      local all = {}
      for _, some in ipairs { headers, auth() or {} } do
        for name, value in pairs(some) do
          all[name] = value
        end
      end
      return {
        base_url = target.base_url,
        headers = all,
        ca_cert = target.ca_cert,
        client_cert = target.client_cert,
        client_key = target.client_key,
        insecure = target.insecure,
        proxy = target.proxy,
      }
    end,
    rest = rest.client {
      service = "k8s",
      base_url = target.base_url,
      headers = headers,
      auth = target.token and auth,
      message = status_message,
      timeout = opts.timeout,
      ca_cert = target.ca_cert,
      client_cert = target.client_cert,
      client_key = target.client_key,
      proxy = target.proxy,
      insecure = target.insecure,
    },
  }, Client)
end

-- Raw verbs ------------------------------------------------------------------

local raw_options = { query = "table", content_type = "string", timeout = "number" }

local function check_path(where, path)
  lib.argument(where, 1, "path", path, "string", 3)
  if path:sub(1, 1) ~= "/" then
    lib.usage(
      3,
      where .. ": argument 1 (path): expected an absolute path such as `/api/v1/nodes`, got `" .. path .. "`"
    )
  end
end

-- What the server warns about on a write (an unknown field, a deprecated API) is easily
-- missed and never an error.
local function log_warnings(resp)
  local header = resp.headers and resp.headers.warning
  for text in (header or ""):gmatch('299 %S+ "(.-[^\\])"') do
    log.warn("k8s: the API server warns: " .. text:gsub('\\(["\\])', "%1"))
  end
end

local function send(client, method, path, body, opts, query)
  local all = {}
  for _, params in ipairs { opts.query or {}, query or {} } do
    for name, value in pairs(params) do
      all[name] = value
    end
  end
  local resp = client.rest:request(method, path, {
    query = next(all) and all or nil,
    body = body,
    content_type = opts.content_type,
    timeout = opts.timeout,
  })
  if method ~= "GET" then
    log_warnings(resp)
  end
  return client.rest:decode(method, path, resp)
end

---GETs a path and returns the object; raises for any status but 2xx.
---@param path string
---@param opts? k8s.RawOptions
---@return table
function Client:get(path, opts)
  check_path("k8s.get", path)
  return send(self, "GET", path, nil, lib.options("k8s.get", opts, raw_options))
end

---@param path string
---@param body table|string
---@param opts? k8s.RawOptions
---@return table
function Client:post(path, body, opts)
  check_path("k8s.post", path)
  return send(self, "POST", path, body, lib.options("k8s.post", opts, raw_options))
end

---@param path string
---@param body table|string
---@param opts? k8s.RawOptions
---@return table
function Client:put(path, body, opts)
  check_path("k8s.put", path)
  return send(self, "PUT", path, body, lib.options("k8s.put", opts, raw_options))
end

---Sends a patch: a merge patch, unless `opts.content_type` names another kind.
---@param path string
---@param body table|string
---@param opts? k8s.RawOptions
---@return table
function Client:patch(path, body, opts)
  check_path("k8s.patch", path)
  opts = lib.options("k8s.patch", opts, raw_options)
  opts.content_type = opts.content_type or "application/merge-patch+json"
  return send(self, "PATCH", path, body, opts)
end

local delete_options = {
  query = "table",
  timeout = "number",
  propagation_policy = "string",
  grace_period_seconds = "number",
  preconditions = "table",
}

local function delete(client, path, opts)
  local body
  if opts.propagation_policy or opts.grace_period_seconds or opts.preconditions then
    body = {
      apiVersion = "v1",
      kind = "DeleteOptions",
      propagationPolicy = opts.propagation_policy,
      gracePeriodSeconds = opts.grace_period_seconds,
      preconditions = opts.preconditions,
    }
  end
  return send(client, "DELETE", path, body, { query = opts.query, timeout = opts.timeout })
end

---DELETEs a path. The answer is a Status, or the object when it goes later (finalizers, grace).
---@param path string
---@param opts? k8s.DeleteOptions
---@return table
function Client:delete(path, opts)
  check_path("k8s.delete", path)
  return delete(self, path, lib.options("k8s.delete", opts, delete_options))
end

-- Objects by kind ------------------------------------------------------------

local get_options = { timeout = "number" }
local write_options = {
  timeout = "number",
  dry_run = "boolean",
  field_manager = "string",
  field_validation = "string",
}

local function write_query(opts)
  return {
    dryRun = opts.dry_run and "All" or nil,
    fieldManager = opts.field_manager,
    fieldValidation = opts.field_validation,
  }
end

local function check_body(where, position, body)
  lib.argument(where, position, "body", body, "table", 3)
end

-- A body may leave out what its kind already says.
local function complete(body, kind)
  local entry = kinds.get(kind)
  if body.apiVersion and body.kind then
    return body
  end
  local copy = {}
  for key, value in pairs(body) do
    copy[key] = value
  end
  copy.apiVersion = body.apiVersion or (entry.group == "" and entry.version or entry.group .. "/" .. entry.version)
  copy.kind = body.kind or entry.kind
  return copy
end

---Gets one object; raises when it does not exist.
---@param ns? string ignored for kinds without namespaces
---@param kind string
---@param name string
---@param opts? k8s.CallOptions
---@return table
function Client:get_resource(ns, kind, name, opts)
  local path = kinds.resource_path(ns, kind, name)
  return send(self, "GET", path, nil, lib.options("k8s.get_resource", opts, get_options))
end

local list_options = {
  timeout = "number",
  label_selector = "string|table",
  field_selector = "string|table",
  limit = "integer",
  page_size = "integer",
  resource_version = "string",
  resource_version_match = "string",
}

-- `{app = "web"}` is `app=web`.
local function selector(value)
  if type(value) ~= "table" then
    return value
  end
  local parts = {}
  for key, wanted in pairs(value) do
    parts[#parts + 1] = key .. "=" .. tostring(wanted)
  end
  table.sort(parts)
  return table.concat(parts, ",")
end

---@return table
local function list(client, path, opts)
  ---@type table
  local answer
  local function fetch(token)
    local size = opts.page_size
    if opts.limit then
      size = math.min(size or opts.limit, opts.limit)
    end
    answer = send(client, "GET", path, nil, { timeout = opts.timeout }, {
      labelSelector = selector(opts.label_selector),
      fieldSelector = selector(opts.field_selector),
      limit = size,
      resourceVersion = not token and opts.resource_version or nil,
      resourceVersionMatch = not token and opts.resource_version_match or nil,
      continue = token,
    })
    local metadata = answer.metadata or {}
    return answer.items or {}, metadata.continue
  end
  local ok, items, rest_token = pcall(lib.collect, fetch, opts.limit)
  if not ok then
    -- With a page in hand, 410 means that the server forgot the snapshot that the pages
    -- belong to: begin again, once.
    if lib.status_of(items) ~= 410 or not answer then
      error(items, 0)
    end
    items, rest_token = lib.collect(fetch, opts.limit)
  end
  answer.items = #items > 0 and items or json.array(items)
  if answer.metadata then
    answer.metadata.continue = rest_token
    answer.metadata.remainingItemCount = rest_token and answer.metadata.remainingItemCount or nil
  end
  return answer
end

---Lists objects, all pages of them. Without a namespace: of all namespaces.
---@param ns? string
---@param kind string
---@param opts? k8s.ListOptions
---@return table # the list object: `{kind, items, metadata}`
function Client:list(ns, kind, opts)
  local path = kinds.list_path(ns, kind)
  return list(self, path, lib.options("k8s.list", opts, list_options))
end

---@param ns? string
---@param kind string
---@param body table `apiVersion` and `kind` may be left out
---@param opts? k8s.WriteOptions
---@return table # the object as the server stored it
function Client:create(ns, kind, body, opts)
  local path = kinds.list_path(ns, kind)
  check_body("k8s.create", 3, body)
  opts = lib.options("k8s.create", opts, write_options)
  return send(self, "POST", path, complete(body, kind), { timeout = opts.timeout }, write_query(opts))
end

---Replaces an object. With `metadata.resourceVersion` in the body the server refuses (409) when
---somebody else changed it meanwhile.
---@param ns? string
---@param kind string
---@param name string
---@param body table
---@param opts? k8s.WriteOptions
---@return table
function Client:update(ns, kind, name, body, opts)
  local path = kinds.resource_path(ns, kind, name)
  check_body("k8s.update", 4, body)
  opts = lib.options("k8s.update", opts, write_options)
  return send(self, "PUT", path, complete(body, kind), { timeout = opts.timeout }, write_query(opts))
end

local patch_options = {
  timeout = "number",
  dry_run = "boolean",
  field_manager = "string",
  field_validation = "string",
  content_type = "string",
}

---Patches an object: a merge patch, unless `opts.content_type` names another kind.
---@param ns? string
---@param kind string
---@param name string
---@param body table|string
---@param opts? k8s.PatchOptions
---@return table
function Client:patch_resource(ns, kind, name, body, opts)
  local path = kinds.resource_path(ns, kind, name)
  lib.argument("k8s.patch_resource", 4, "body", body, "table|string")
  opts = lib.options("k8s.patch_resource", opts, patch_options)
  local content_type = opts.content_type or "application/merge-patch+json"
  return send(self, "PATCH", path, body, { timeout = opts.timeout, content_type = content_type }, write_query(opts))
end

local apply_options = {
  timeout = "number",
  dry_run = "boolean",
  field_manager = "string",
  field_validation = "string",
  force = "boolean",
}

---Applies an object on the server (server-side apply): creates it or takes over the fields named.
---@param ns? string
---@param kind string
---@param body table with `metadata.name`
---@param opts? k8s.ApplyOptions
---@return table
function Client:apply(ns, kind, body, opts)
  check_body("k8s.apply", 3, body)
  local name = type(body.metadata) == "table" and body.metadata.name
  if not name then
    lib.usage(2, "k8s.apply: argument 3 (body) has no metadata.name")
  end
  local path = kinds.resource_path(ns, kind, name)
  opts = lib.options("k8s.apply", opts, apply_options)
  local query = write_query(opts)
  query.fieldManager = opts.field_manager or "assay"
  query.force = opts.force or nil
  -- JSON is YAML, and this content type is the one that every server version knows.
  return send(self, "PATCH", path, complete(body, kind), {
    timeout = opts.timeout,
    content_type = "application/apply-patch+yaml",
  }, query)
end

---@param ns? string
---@param kind string
---@param name string
---@param opts? k8s.DeleteOptions
---@return table
function Client:delete_resource(ns, kind, name, opts)
  local path = kinds.resource_path(ns, kind, name)
  return delete(self, path, lib.options("k8s.delete_resource", opts, delete_options))
end

local function exists(client, path, opts)
  local resp = client.rest:request("GET", path, { timeout = opts.timeout, accept = { [404] = true } })
  return resp.status ~= 404
end

---False only when the server says 404; a refused token or a broken server raises.
---@param ns? string
---@param kind string
---@param name string
---@param opts? k8s.CallOptions
---@return boolean
function Client:exists(ns, kind, name, opts)
  local path = kinds.resource_path(ns, kind, name)
  return exists(self, path, lib.options("k8s.exists", opts, get_options))
end

---@param name string
---@param opts? k8s.CallOptions
---@return boolean
function Client:namespace_exists(name, opts)
  local path = kinds.resource_path(nil, "namespace", name)
  return exists(self, path, lib.options("k8s.namespace_exists", opts, get_options))
end

-- Secrets, config maps, pods, nodes ------------------------------------------

---A secret's data, decoded: bytes, which may be binary.
---@param ns string
---@param name string
---@param opts? k8s.CallOptions
---@return table<string, string>
function Client:get_secret(ns, name, opts)
  local path = kinds.resource_path(ns, "secret", name)
  local secret = send(self, "GET", path, nil, lib.options("k8s.get_secret", opts, get_options))
  local decoded = {}
  for key, value in pairs(secret.data or {}) do
    decoded[key] = base64.decode(value)
  end
  return decoded
end

---A config map's data; keys of its `binaryData` come decoded.
---@param ns string
---@param name string
---@param opts? k8s.CallOptions
---@return table<string, string>
function Client:get_configmap(ns, name, opts)
  local path = kinds.resource_path(ns, "configmap", name)
  local map = send(self, "GET", path, nil, lib.options("k8s.get_configmap", opts, get_options))
  local data = {}
  for key, value in pairs(map.binaryData or {}) do
    data[key] = base64.decode(value)
  end
  for key, value in pairs(map.data or {}) do
    data[key] = value
  end
  return data
end

---@param ns? string
---@param opts? k8s.ListOptions
---@return table
function Client:list_pods(ns, opts)
  return list(self, kinds.list_path(ns, "pod"), lib.options("k8s.list_pods", opts, list_options))
end

---@param ns? string
---@param opts? k8s.ListOptions
---@return table
function Client:list_events(ns, opts)
  return list(self, kinds.list_path(ns, "event"), lib.options("k8s.list_events", opts, list_options))
end

---@class k8s.PodStatus
---@field running integer
---@field pending integer
---@field succeeded integer
---@field failed integer
---@field unknown integer
---@field total integer

---Counts pods by phase.
---@param ns? string
---@param opts? k8s.ListOptions
---@return k8s.PodStatus
function Client:pod_status(ns, opts)
  local pods = list(self, kinds.list_path(ns, "pod"), lib.options("k8s.pod_status", opts, list_options))
  local counts = { running = 0, pending = 0, succeeded = 0, failed = 0, unknown = 0, total = 0 }
  for _, pod in ipairs(pods.items) do
    local phase = (pod.status and pod.status.phase or "Unknown"):lower()
    local key = counts[phase] and phase or "unknown"
    counts[key] = counts[key] + 1
    counts.total = counts.total + 1
  end
  return counts
end

---The events about one object.
---@param ns string
---@param kind string a known kind in any spelling, or the kind as events name it
---@param name string
---@param opts? k8s.ListOptions
---@return table
function Client:events_for(ns, kind, name, opts)
  lib.argument("k8s.events_for", 2, "kind", kind, "string")
  lib.argument("k8s.events_for", 3, "name", name, "string")
  opts = lib.options("k8s.events_for", opts, list_options)
  local entry = kinds.find(kind)
  local fields = "involvedObject.kind=" .. (entry and entry.kind or kind) .. ",involvedObject.name=" .. name
  local more = selector(opts.field_selector)
  opts.field_selector = more and fields .. "," .. more or fields
  return list(self, kinds.list_path(ns, "event"), opts)
end

---The IP addresses that a service sends traffic to; empty while no pod is ready.
---@param ns string
---@param name string
---@param opts? k8s.CallOptions
---@return string[]
function Client:service_endpoints(ns, name, opts)
  local path = kinds.resource_path(ns, "endpoints", name)
  local endpoints = send(self, "GET", path, nil, lib.options("k8s.service_endpoints", opts, get_options))
  local ips = {}
  for _, subset in ipairs(endpoints.subsets or {}) do
    for _, address in ipairs(subset.addresses or {}) do
      ips[#ips + 1] = address.ip
    end
  end
  return ips
end

---@class k8s.NodeStatus
---@field name string
---@field ready boolean
---@field roles string[]
---@field capacity table<string, string>
---@field allocatable table<string, string>

---@param opts? k8s.ListOptions
---@return k8s.NodeStatus[]
function Client:node_status(opts)
  local nodes = list(self, kinds.list_path(nil, "node"), lib.options("k8s.node_status", opts, list_options))
  local result = {}
  for _, node in ipairs(nodes.items) do
    local roles = {}
    for label in pairs(node.metadata.labels or {}) do
      roles[#roles + 1] = label:match("^node%-role%.kubernetes%.io/(.+)$")
    end
    table.sort(roles)
    local status = node.status or {}
    result[#result + 1] = {
      name = node.metadata.name,
      ready = ready.judge("Node", node).ready,
      roles = roles,
      capacity = status.capacity or {},
      allocatable = status.allocatable or {},
    }
  end
  return result
end

-- Readiness ------------------------------------------------------------------

local function judge(client, path, entry, timeout)
  return ready.judge(entry.kind, send(client, "GET", path, nil, { timeout = timeout }), entry.custom)
end

---Whether an object is ready now: rolled out, complete, bound, or whatever its kind means by it.
---@param ns? string
---@param kind string
---@param name string
---@param opts? k8s.CallOptions
---@return boolean
function Client:is_ready(ns, kind, name, opts)
  local path = kinds.resource_path(ns, kind, name)
  opts = lib.options("k8s.is_ready", opts, get_options)
  return judge(self, path, kinds.get(kind), opts.timeout).ready
end

local wait_options = { interval = "number" }

---Waits until an object is ready, an object that does not exist yet included. Raises after the
---timeout with the last state or error seen, and at once when waiting cannot help (a failed job).
---@param ns? string
---@param kind string
---@param name string
---@param timeout? number seconds, 60 by default
---@param opts? k8s.WaitOptions
---@return true
function Client:wait_ready(ns, kind, name, timeout, opts)
  local path = kinds.resource_path(ns, kind, name)
  lib.argument("k8s.wait_ready", 4, "timeout", timeout, "number|nil")
  opts = lib.options("k8s.wait_ready", opts, wait_options)
  local entry = kinds.get(kind)
  local what = string.format("%s %s%s", entry.kind, entry.cluster and "" or ns .. "/", name)
  return lib.wait {
    service = "k8s",
    what = what .. " to be ready",
    timeout = timeout or 60,
    interval = opts.interval,
    check = function(remaining)
      local verdict = judge(self, path, entry, math.min(remaining, 30))
      if verdict.failed then
        lib.fail { kind = "failed", message = string.format("k8s: %s will not get ready: %s", what, verdict.state) }
      end
      return verdict.ready, verdict.state
    end,
  }
end

---The state of a Deployment's rollout.
---@param ns string
---@param name string
---@param opts? k8s.CallOptions
---@return k8s.Rollout
function Client:rollout_status(ns, name, opts)
  local path = kinds.resource_path(ns, "deployment", name)
  return ready.rollout(send(self, "GET", path, nil, lib.options("k8s.rollout_status", opts, get_options)))
end

-- Streams --------------------------------------------------------------------

local log_options = {
  timeout = "number",
  tail = "integer",
  container = "string",
  previous = "boolean",
  since = "number|string",
  follow = "boolean",
  timestamps = "boolean",
  limit_bytes = "integer",
  on_line = "function",
}

---The log of a pod's container. With `follow` it reads until the container ends; `on_line` gets
---each line as it comes, and then nothing is collected.
---@param ns string
---@param pod_name string
---@param opts? k8s.LogOptions
---@return string
function Client:logs(ns, pod_name, opts)
  local path = kinds.resource_path(ns, "pod", pod_name) .. "/log"
  opts = lib.options("k8s.logs", opts, log_options)
  local seconds = type(opts.since) == "number" and opts.since or nil
  local resp = self.rest:request("GET", path, {
    query = {
      container = opts.container,
      tailLines = opts.tail,
      previous = opts.previous or nil,
      sinceSeconds = seconds and math.max(1, math.ceil(seconds)) or nil,
      sinceTime = not seconds and opts.since or nil,
      follow = opts.follow or nil,
      timestamps = opts.timestamps or nil,
      limitBytes = opts.limit_bytes,
    },
    -- A log that is followed ends when its container does, not after the usual 30 seconds.
    timeout = opts.timeout or (opts.follow and M.forever or nil),
    stream = opts.on_line and true or nil,
  })
  if not opts.on_line then
    return resp.body
  end
  for line in lib.lines(resp.body) do
    opts.on_line(line)
  end
  return ""
end

local watch_options = {
  timeout = "number",
  name = "string",
  label_selector = "string|table",
  field_selector = "string|table",
  resource_version = "string",
  bookmarks = "boolean",
  initial_events = "boolean",
}

---@class k8s.WatchEvent
---@field type "ADDED"|"MODIFIED"|"DELETED"|"BOOKMARK"
---@field object table

---@class k8s.Watch
---@overload fun(): k8s.WatchEvent?
---@field resource_version? string the last one seen: where the next watch can go on
---@field package path string
---@field package body http.Body
---@field package lines fun(): string?
local Watch = {}
Watch.__index = Watch

function Watch:__call()
  local line
  repeat
    line = self.lines()
  until line ~= ""
  if not line then
    return nil
  end
  local ok, event = pcall(json.parse, line)
  if not ok or type(event) ~= "table" or type(event.object) ~= "table" then
    self:close()
    lib.fail { kind = "http", message = "k8s: watch " .. self.path .. ": not a watch event: " .. line:sub(1, 200) }
  end
  if event.type == "ERROR" then
    self:close()
    local status = event.object
    lib.fail {
      kind = "http",
      status = status.code,
      message = string.format("k8s: watch %s: %s", self.path, status.message or "the server ended the watch"),
      hint = status.code == 410 and "list again and watch from the list's metadata.resourceVersion" or nil,
    }
  end
  local metadata = event.object.metadata
  if metadata and metadata.resourceVersion then
    self.resource_version = metadata.resourceVersion
  end
  return event
end

---Ends the watch before its timeout.
function Watch:close()
  self.body:close()
end
Watch.__close = Watch.close

---Watches a collection: `for event in k8s.watch("demo", "pod") do ... end`. The loop ends when
---the timeout is over; to go on, watch again from `resource_version` of the watch.
---@param ns? string
---@param kind string
---@param opts? k8s.WatchOptions
---@return k8s.Watch
function Client:watch(ns, kind, opts)
  local path = kinds.list_path(ns, kind)
  opts = lib.options("k8s.watch", opts, watch_options)
  local fields = selector(opts.field_selector)
  if opts.name then
    fields = "metadata.name=" .. opts.name .. (fields and "," .. fields or "")
  end
  local timeout = opts.timeout or 300
  local query = {
    watch = true,
    labelSelector = selector(opts.label_selector),
    fieldSelector = fields,
    resourceVersion = opts.resource_version,
    timeoutSeconds = math.max(1, math.ceil(timeout)),
    allowWatchBookmarks = (opts.bookmarks or opts.initial_events) or nil,
  }
  if opts.initial_events then
    query.sendInitialEvents = true
    query.resourceVersionMatch = "NotOlderThan"
    query.resourceVersion = opts.resource_version or ""
  end
  local resp = self.rest:request("GET", path, {
    query = query,
    timeout = timeout + 30, -- the server ends the stream; this is for one that does not
    stream = true,
  })
  return setmetatable({
    path = path,
    resource_version = opts.resource_version,
    body = resp.body,
    lines = lib.lines(resp.body),
  }, Watch)
end

-- A day: long enough for any container that a job follows.
M.forever = 86400

local exec_options = { container = "string", stdin = "string", timeout = "number" }

---Runs a command in a container and waits for its end. A command that fails does not raise; one
---that cannot be run, and a server that refuses, do. Needs the plugin `ws`.
---@param ns string
---@param pod_name string
---@param command string[] the program and its arguments; there is no shell between
---@param opts? k8s.ExecOptions
---@return k8s.ExecResult
function Client:exec(ns, pod_name, command, opts)
  local path = kinds.resource_path(ns, "pod", pod_name) .. "/exec"
  lib.argument("k8s.exec", 3, "command", command, "table")
  for at = 1, math.max(#command, 1) do
    if type(command[at]) ~= "string" then
      lib.usage(2, "k8s.exec: argument 3 (command): expected a list of strings, got " .. type(command[at]) .. " in it")
    end
  end
  return exec.run(self.target(), path, command, lib.options("k8s.exec", opts, exec_options))
end

---The call options of each verb.
M.call_options = {
  get = raw_options, post = raw_options, put = raw_options, patch = raw_options, delete = delete_options,
  get_resource = get_options, list = list_options, create = write_options, update = write_options,
  patch_resource = patch_options, apply = apply_options, delete_resource = delete_options,
  exists = get_options, get_secret = get_options, get_configmap = get_options,
  list_pods = list_options, list_events = list_options, pod_status = list_options,
  is_ready = get_options, wait_ready = wait_options, service_endpoints = get_options, logs = log_options,
  rollout_status = get_options, node_status = list_options, namespace_exists = get_options,
  events_for = list_options, watch = watch_options, exec = exec_options,
}

return M
