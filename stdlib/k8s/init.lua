-- assay.k8s: Kubernetes API client.
global pairs, require, select, table

local lib = require("assay.lib")
local client = require("assay.k8s.client")
local kinds = require("assay.k8s.kinds")

---Every verb is a function here, with the connection in its options, and a method of
---`k8s.client{...}`, which connects once: `k8s.list("demo", "pod", {label_selector = "app=web"})`,
---`k8s.client{context = "prod"}:list("demo", "pod")`.
---@class k8s
---@field get fun(path: string, opts?: k8s.RawOptions): table
---@field post fun(path: string, body: table|string, opts?: k8s.RawOptions): table
---@field put fun(path: string, body: table|string, opts?: k8s.RawOptions): table
---@field patch fun(path: string, body: table|string, opts?: k8s.RawOptions): table
---@field delete fun(path: string, opts?: k8s.DeleteOptions): table
---@field get_resource fun(ns: string?, kind: string, name: string, opts?: k8s.CallOptions): table
---@field list fun(ns: string?, kind: string, opts?: k8s.ListOptions): table
---@field create fun(ns: string?, kind: string, body: table, opts?: k8s.WriteOptions): table
---@field update fun(ns: string?, kind: string, name: string, body: table, opts?: k8s.WriteOptions): table
---@field patch_resource fun(ns: string?, kind: string, name: string, body: table|string, opts?: k8s.PatchOptions): table
---@field apply fun(ns: string?, kind: string, body: table, opts?: k8s.ApplyOptions): table
---@field delete_resource fun(ns: string?, kind: string, name: string, opts?: k8s.DeleteOptions): table
---@field exists fun(ns: string?, kind: string, name: string, opts?: k8s.CallOptions): boolean
---@field get_secret fun(ns: string, name: string, opts?: k8s.CallOptions): table<string, string>
---@field get_configmap fun(ns: string, name: string, opts?: k8s.CallOptions): table<string, string>
---@field list_pods fun(ns?: string, opts?: k8s.ListOptions): table
---@field list_events fun(ns?: string, opts?: k8s.ListOptions): table
---@field pod_status fun(ns?: string, opts?: k8s.ListOptions): k8s.PodStatus
---@field is_ready fun(ns: string?, kind: string, name: string, opts?: k8s.CallOptions): boolean
---@field wait_ready fun(ns: string?, kind: string, name: string, timeout?: number, opts?: k8s.WaitOptions): true
---@field service_endpoints fun(ns: string, name: string, opts?: k8s.CallOptions): string[]
---@field logs fun(ns: string, pod_name: string, opts?: k8s.LogOptions): string
---@field rollout_status fun(ns: string, name: string, opts?: k8s.CallOptions): k8s.Rollout
---@field node_status fun(opts?: k8s.ListOptions): k8s.NodeStatus[]
---@field namespace_exists fun(name: string, opts?: k8s.CallOptions): boolean
---@field events_for fun(ns: string, kind: string, name: string, opts?: k8s.ListOptions): table
---@field watch fun(ns: string?, kind: string, opts?: k8s.WatchOptions): k8s.Watch
---@field exec fun(ns: string, pod_name: string, command: string[], opts?: k8s.ExecOptions): k8s.ExecResult
local M = {}

---@class k8s.CallOptions: k8s.ConnectionOptions

---@class k8s.RawOptions: k8s.ConnectionOptions
---@field query? table<string, string|number|boolean|string[]>
---@field content_type? string of the body; for `patch` `application/merge-patch+json` by default

---@class k8s.ListOptions: k8s.ConnectionOptions
---@field label_selector? string|table<string, string>
---@field field_selector? string|table<string, string>
---@field limit? integer at most this many items; all by default
---@field page_size? integer items for each request
---@field resource_version? string
---@field resource_version_match? "Exact"|"NotOlderThan"

---@class k8s.WriteOptions: k8s.ConnectionOptions
---@field dry_run? boolean the server checks and answers, and stores nothing
---@field field_manager? string
---@field field_validation? "Strict"|"Warn"|"Ignore"

---@alias k8s.PatchType
---| "application/merge-patch+json"
---| "application/json-patch+json"
---| "application/strategic-merge-patch+json"
---| "application/apply-patch+yaml"

---@class k8s.PatchOptions: k8s.WriteOptions
---@field content_type? k8s.PatchType "application/merge-patch+json" by default

---@class k8s.ApplyOptions: k8s.WriteOptions
---@field field_manager? string "assay" by default
---@field force? boolean take fields over from other managers instead of raising (409)

---@class k8s.DeleteOptions: k8s.ConnectionOptions
---@field propagation_policy? "Background"|"Foreground"|"Orphan"
---@field grace_period_seconds? integer
---@field preconditions? {uid?: string, resourceVersion?: string}
---@field query? table

---@class k8s.WaitOptions: k8s.ConnectionOptions
---@field interval? number seconds between two looks, 1 by default

---@class k8s.LogOptions: k8s.ConnectionOptions
---@field tail? integer last lines only
---@field container? string needed when the pod has several
---@field previous? boolean of the container's previous run
---@field since? number|string seconds back, or an RFC 3339 time
---@field follow? boolean until the container ends
---@field timestamps? boolean
---@field limit_bytes? integer
---@field on_line? fun(line: string)

---@class k8s.WatchOptions: k8s.ConnectionOptions
---@field timeout? number seconds, 300 by default
---@field name? string one object only
---@field label_selector? string|table<string, string>
---@field field_selector? string|table<string, string>
---@field resource_version? string where to begin: a list's `metadata.resourceVersion`
---@field bookmarks? boolean also BOOKMARK events, which carry only a newer resource version
---@field initial_events? boolean begin with an ADDED event for everything that exists, then a BOOKMARK

---@class k8s.ExecOptions: k8s.ConnectionOptions
---@field container? string by default the pod's only one, or its first
---@field stdin? string what the command reads; nothing by default
---@field timeout? number seconds until the command has ended, 60 by default

---Makes a client that finds its cluster and credentials once.
---@param opts? k8s.ConnectionOptions
---@return k8s.Client
function M.client(opts)
  return client.new(opts)
end

---Makes a custom kind known, so that `get_resource`, `list`, ... take it.
---@param kind string
---@param api_group string
---@param version string
---@param plural string
---@param cluster_scoped? boolean
function M.register_crd(kind, api_group, version, plural, cluster_scoped)
  lib.argument("k8s.register_crd", 1, "kind", kind, "string")
  lib.argument("k8s.register_crd", 2, "api_group", api_group, "string")
  lib.argument("k8s.register_crd", 3, "version", version, "string")
  lib.argument("k8s.register_crd", 4, "plural", plural, "string")
  kinds.register(kind, api_group, version, plural, cluster_scoped)
end

function M._resource_path(ns, kind, name)
  local path = kinds.resource_path(ns, kind, name)
  return path
end

function M._list_path(ns, kind)
  local path = kinds.list_path(ns, kind)
  return path
end

-- Verb → position of its options. Each becomes a module function that takes the connection out of
-- them, connects, and calls the client's method of the same name.
local verbs = {
  get = 2, post = 3, put = 3, patch = 3, delete = 2,
  get_resource = 4, list = 3, create = 4, update = 5, patch_resource = 5, apply = 4, delete_resource = 4,
  exists = 4, get_secret = 3, get_configmap = 3, list_pods = 2, list_events = 2, pod_status = 2,
  is_ready = 4, wait_ready = 5, service_endpoints = 3, logs = 3, rollout_status = 3, node_status = 1,
  namespace_exists = 2, events_for = 4, watch = 3, exec = 4,
}

for verb, position in pairs(verbs) do
  ---@type fun(...: any): any
  local method = client.Client[verb]
  local accepted = {}
  -- `timeout` means the call's own where a call has one (a watch), else each request's.
  for name, types in pairs(client.connection_options) do
    accepted[name] = name ~= "timeout" and types or nil
  end
  for name, types in pairs(client.call_options[verb]) do
    accepted[name] = types
  end
  M[verb] = function(...)
    -- Checked before anything is looked for: a mistyped `base_url` must not end in the
    -- message that there is no cluster.
    local given = lib.options("k8s." .. verb, (select(position, ...)), accepted)
    local connection, call = {}, {}
    for name, value in pairs(given) do
      local of_call = client.call_options[verb][name] ~= nil
      (of_call and call or connection)[name] = value
    end
    ---@type table
    local args = table.pack(...)
    args[position] = call
    return method(client.new(connection, 3), table.unpack(args, 1, position))
  end
end

return M
