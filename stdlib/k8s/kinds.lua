-- assay.k8s.kinds: which API path a kind lives under.
global ipairs, require, tostring, type

local lib = require("assay.lib")

local M = {}

---@class k8s.Kind
---@field kind string as in manifests: `Deployment`
---@field group string empty for the core group
---@field version string
---@field plural string
---@field cluster boolean true when objects belong to no namespace
---@field custom? boolean added by `register_crd`

-- kind, plural, further names (the ones kubectl knows), cluster-scoped
local builtin = {
  { "", "v1", {
    { "Pod", "pods", "po" },
    { "Service", "services", "svc" },
    { "Secret", "secrets" },
    { "ConfigMap", "configmaps", "cm" },
    { "Endpoints", "endpoints", "ep" },
    { "ServiceAccount", "serviceaccounts", "sa" },
    { "PersistentVolumeClaim", "persistentvolumeclaims", "pvc" },
    { "LimitRange", "limitranges", "limits" },
    { "ResourceQuota", "resourcequotas", "quota" },
    { "ReplicationController", "replicationcontrollers", "rc" },
    { "Event", "events", "ev" },
    { "Namespace", "namespaces", "ns", cluster = true },
    { "Node", "nodes", "no", cluster = true },
    { "PersistentVolume", "persistentvolumes", "pv", cluster = true },
  } },
  { "apps", "v1", {
    { "Deployment", "deployments", "deploy" },
    { "StatefulSet", "statefulsets", "sts" },
    { "DaemonSet", "daemonsets", "ds" },
    { "ReplicaSet", "replicasets", "rs" },
    { "ControllerRevision", "controllerrevisions" },
  } },
  { "batch", "v1", {
    { "Job", "jobs" },
    { "CronJob", "cronjobs", "cj" },
  } },
  { "networking.k8s.io", "v1", {
    { "Ingress", "ingresses", "ing" },
    { "NetworkPolicy", "networkpolicies", "netpol" },
    { "IngressClass", "ingressclasses", cluster = true },
  } },
  { "discovery.k8s.io", "v1", {
    { "EndpointSlice", "endpointslices" },
  } },
  { "coordination.k8s.io", "v1", {
    { "Lease", "leases" },
  } },
  { "autoscaling", "v2", {
    { "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa" },
  } },
  { "policy", "v1", {
    { "PodDisruptionBudget", "poddisruptionbudgets", "pdb" },
  } },
  { "rbac.authorization.k8s.io", "v1", {
    { "Role", "roles" },
    { "RoleBinding", "rolebindings" },
    { "ClusterRole", "clusterroles", cluster = true },
    { "ClusterRoleBinding", "clusterrolebindings", cluster = true },
  } },
  { "storage.k8s.io", "v1", {
    { "StorageClass", "storageclasses", "sc", cluster = true },
    { "VolumeAttachment", "volumeattachments", cluster = true },
    { "CSIDriver", "csidrivers", cluster = true },
  } },
  { "scheduling.k8s.io", "v1", {
    { "PriorityClass", "priorityclasses", "pc", cluster = true },
  } },
  { "apiextensions.k8s.io", "v1", {
    { "CustomResourceDefinition", "customresourcedefinitions", "crd", cluster = true },
  } },
  { "apiregistration.k8s.io", "v1", {
    { "APIService", "apiservices", cluster = true },
  } },
  { "admissionregistration.k8s.io", "v1", {
    { "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", cluster = true },
    { "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", cluster = true },
  } },
}

-- Every name of a kind, in lower case. Registered custom kinds join it: the one state
-- that this library has to keep, because `register_crd` is a module function.
local known = {}

local function add(entry, names)
  for _, name in ipairs(names) do
    known[name:lower()] = entry
  end
end

for _, group in ipairs(builtin) do
  for _, row in ipairs(group[3]) do
    add({
      kind = row[1],
      group = group[1],
      version = group[2],
      plural = row[2],
      cluster = row.cluster or false,
    }, row)
  end
end

---Adds a custom kind.
---@param kind string
---@param api_group string
---@param version string
---@param plural string
---@param cluster_scoped? boolean
function M.register(kind, api_group, version, plural, cluster_scoped)
  local entry = {
    kind = kind,
    group = api_group,
    version = version,
    plural = plural,
    cluster = cluster_scoped or false,
    custom = true,
  }
  add(entry, { kind, plural, kind .. "." .. api_group, plural .. "." .. api_group })
end

---The entry of a kind's name, or nil.
---@param kind string
---@return k8s.Kind?
function M.find(kind)
  return known[kind:lower()]
end

---The entry of a kind's name; raises for an unknown one.
---@param kind string
---@param level? integer stack level of the mistake, seen from the caller
---@return k8s.Kind
function M.get(kind, level)
  level = (level or 2) + 1
  if type(kind) ~= "string" then
    lib.usage(level, "k8s: kind: expected string, got " .. type(kind))
  end
  local entry = known[kind:lower()]
  if not entry then
    local close = lib.suggest(kind, known)
    lib.usage(
      level,
      "k8s: unknown kind `" .. tostring(kind) .. "`",
      close and "did you mean `" .. close .. "`?"
        or "make a custom kind known with k8s.register_crd(kind, group, version, plural)"
    )
  end
  return entry
end

---The path of a kind's collection. Without a namespace: that of all namespaces.
---@param ns? string
---@param kind string
---@param level? integer
---@return string
function M.list_path(ns, kind, level)
  local entry = M.get(kind, (level or 2) + 1)
  local base = entry.group == "" and "/api/" .. entry.version or "/apis/" .. entry.group .. "/" .. entry.version
  if not entry.cluster and ns ~= nil and ns ~= "" then
    base = base .. "/namespaces/" .. lib.encode_segment(ns)
  end
  return base .. "/" .. entry.plural
end

---The path of one object.
---@param ns? string
---@param kind string
---@param name string
---@param level? integer
---@return string
function M.resource_path(ns, kind, name, level)
  level = (level or 2) + 1
  local entry = M.get(kind, level)
  if not entry.cluster and (ns == nil or ns == "") then
    lib.usage(level, "k8s: `" .. kind .. "` belongs to a namespace: none was given")
  end
  if type(name) ~= "string" or name == "" then
    lib.usage(level, "k8s: name: expected a name, got " .. (name == "" and "an empty string" or type(name)))
  end
  return M.list_path(ns, kind, level) .. "/" .. lib.encode_segment(name)
end

return M
