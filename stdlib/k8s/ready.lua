-- assay.k8s.ready: judges from an object alone whether it is ready.
global ipairs, string, tostring

local M = {}

---@class k8s.Verdict
---@field ready boolean
---@field state string what is missing, or what is reached, in words
---@field failed boolean true when waiting longer cannot help

local function verdict(ready, state, failed)
  return { ready = ready, state = state, failed = failed or false }
end

local function condition(obj, name)
  for _, c in ipairs(obj.status and obj.status.conditions or {}) do
    if c.type == name then
      return c
    end
  end
  return nil
end

local function reason(c)
  local text = c.reason or c.type
  if c.message and c.message ~= "" then
    text = text .. ": " .. c.message
  end
  return text
end

-- A controller that has not seen the newest spec describes the old one.
local function stale(obj)
  local generation = obj.metadata and obj.metadata.generation
  local observed = obj.status and obj.status.observedGeneration
  if generation and observed and observed < generation then
    return verdict(false, string.format("generation %d of %d observed", observed, generation))
  end
  if generation and not observed and obj.spec and obj.status then
    return verdict(false, "no generation observed yet")
  end
  return nil
end

---@class k8s.Rollout
---@field desired integer
---@field updated integer pods of the newest template
---@field ready integer
---@field available integer
---@field unavailable integer
---@field complete boolean the newest spec is observed, and every desired pod is new and available
---@field state string
---@field failed boolean true when the rollout is over its progress deadline

---The counters of a Deployment; counters that the server leaves out are 0.
---@param obj table
---@return k8s.Rollout
function M.rollout(obj)
  local spec, status = obj.spec or {}, obj.status or {}
  -- An object without a spec (from a partial test double) is judged by its status alone.
  local desired = spec.replicas or (obj.spec and 1) or status.replicas or 0
  local ready = status.readyReplicas or 0
  local updated = status.updatedReplicas or (obj.spec and 0 or ready)
  local available = status.availableReplicas or (obj.spec and 0 or ready)
  local total = status.replicas or updated
  local result = {
    desired = desired,
    updated = updated,
    ready = ready,
    available = available,
    unavailable = status.unavailableReplicas or 0,
    complete = false,
    failed = false,
  }
  local progressing = condition(obj, "Progressing")
  local old = stale(obj)
  if old then
    result.state = old.state
  elseif progressing and progressing.reason == "ProgressDeadlineExceeded" then
    result.state, result.failed = reason(progressing), true
  elseif updated < desired then
    result.state = string.format("%d of %d pods updated", updated, desired)
  elseif total > updated then
    result.state = string.format("%d old pods still running", total - updated)
  elseif available < desired then
    result.state = string.format("%d of %d pods available", available, desired)
  else
    result.state, result.complete = string.format("%d of %d pods available", available, desired), true
  end
  return result
end

local judges = {}

function judges.Deployment(obj)
  local r = M.rollout(obj)
  return verdict(r.complete, r.state, r.failed)
end

function judges.StatefulSet(obj)
  local old = stale(obj)
  if old then
    return old
  end
  local spec, status = obj.spec or {}, obj.status or {}
  local desired = spec.replicas or (obj.spec and 1) or status.replicas or 0
  local ready = status.readyReplicas or 0
  local strategy = spec.updateStrategy or {}
  local by_hand = strategy.type == "OnDelete"
  local partition = strategy.rollingUpdate and strategy.rollingUpdate.partition or 0
  local updated = status.updatedReplicas or (obj.spec and 0 or ready)
  if not by_hand and updated < desired - partition then
    return verdict(false, string.format("%d of %d pods updated", updated, desired - partition))
  end
  return verdict(ready >= desired, string.format("%d of %d pods ready", ready, desired))
end

function judges.DaemonSet(obj)
  local old = stale(obj)
  if old then
    return old
  end
  local spec, status = obj.spec or {}, obj.status or {}
  local desired = status.desiredNumberScheduled or 0
  local ready = status.numberReady or 0
  local updated = status.updatedNumberScheduled or (obj.spec and 0 or ready)
  if not (spec.updateStrategy and spec.updateStrategy.type == "OnDelete") and updated < desired then
    return verdict(false, string.format("%d of %d pods updated", updated, desired))
  end
  return verdict(ready >= desired, string.format("%d of %d pods ready", ready, desired))
end

local function replicas(obj)
  local old = stale(obj)
  if old then
    return old
  end
  local spec, status = obj.spec or {}, obj.status or {}
  local desired = spec.replicas or (obj.spec and 1) or status.replicas or 0
  local ready = status.readyReplicas or 0
  return verdict(ready >= desired, string.format("%d of %d pods ready", ready, desired))
end
judges.ReplicaSet = replicas
judges.ReplicationController = replicas

function judges.Job(obj)
  local spec, status = obj.spec or {}, obj.status or {}
  local failed, complete = condition(obj, "Failed"), condition(obj, "Complete")
  if failed and failed.status == "True" then
    return verdict(false, reason(failed), true)
  end
  local wanted, done = spec.completions or 1, status.succeeded or 0
  if complete and complete.status == "True" then
    return verdict(true, string.format("%d succeeded", done))
  end
  if spec.suspend then
    return verdict(false, "suspended")
  end
  -- The controller sets Complete last; its counter decides only where no spec is known.
  local active, lost = status.active or 0, status.failed or 0
  local state = string.format("%d of %d succeeded, %d active, %d failed", done, wanted, active, lost)
  return verdict(not obj.spec and done >= wanted, state)
end

function judges.Pod(obj)
  local status = obj.status or {}
  local ready = condition(obj, "Ready")
  if ready and ready.status == "True" then
    return verdict(true, "Ready")
  end
  if status.phase == "Failed" or status.phase == "Succeeded" then
    local why = status.reason and " (" .. status.reason .. ")" or ""
    return verdict(false, "the pod has ended: " .. status.phase .. why, true)
  end
  for _, list in ipairs { status.initContainerStatuses or {}, status.containerStatuses or {} } do
    for _, container in ipairs(list) do
      local waiting = container.state and container.state.waiting
      if waiting then
        return verdict(false, string.format("container %s: %s", container.name, reason(waiting)))
      end
    end
  end
  for _, c in ipairs(status.conditions or {}) do
    if c.type == "PodScheduled" and c.status == "False" then
      return verdict(false, reason(c))
    end
  end
  return verdict(false, status.phase or "no status yet")
end

function judges.Service(obj)
  local spec = obj.spec or {}
  if spec.type ~= "LoadBalancer" then
    return verdict(true, "exists")
  end
  local balancer = obj.status and obj.status.loadBalancer
  local ready = balancer ~= nil and balancer.ingress ~= nil and balancer.ingress[1] ~= nil
  return verdict(ready, ready and "has an address" or "no load-balancer address yet")
end

function judges.PodDisruptionBudget(obj)
  local old = stale(obj)
  if old then
    return old
  end
  local status = obj.status or {}
  local healthy, wanted = status.currentHealthy or 0, status.desiredHealthy or 0
  return verdict(healthy >= wanted, string.format("%d of %d pods healthy", healthy, wanted))
end

local ready_phases = {
  Bound = true,
  Available = true,
  Active = true,
  Running = true,
  Succeeded = true,
  Ready = true,
  Healthy = true,
}
local lost_phases = { Lost = true, Failed = true }

-- Any other kind: what most controllers agree on.
local function generic(obj)
  local status = obj.status
  local observed = status and status.observedGeneration
  local generation = obj.metadata and obj.metadata.generation
  if observed and generation and observed < generation then
    return verdict(false, string.format("generation %d of %d observed", observed, generation))
  end
  for _, name in ipairs { "Ready", "Available", "Established" } do
    local c = condition(obj, name)
    if c then
      return verdict(c.status == "True", c.status == "True" and name or reason(c))
    end
  end
  if status and status.phase then
    return verdict(ready_phases[status.phase] or false, "phase " .. tostring(status.phase), lost_phases[status.phase])
  end
  local balancer = status and status.loadBalancer
  if balancer then
    local ready = balancer.ingress ~= nil and balancer.ingress[1] ~= nil
    return verdict(ready, ready and "has an address" or "no load-balancer address yet")
  end
  return nil
end

-- Kinds that a controller fills in later, so that "no status" means "not yet".
local has_status = {
  Node = true,
  Namespace = true,
  PersistentVolume = true,
  PersistentVolumeClaim = true,
  Ingress = true,
  CustomResourceDefinition = true,
  APIService = true,
}

---Judges one object.
---@param kind string the canonical kind, `Deployment`
---@param obj table
---@param custom? boolean the kind is a registered custom one
---@return k8s.Verdict
function M.judge(kind, obj, custom)
  local deleting = obj.metadata and obj.metadata.deletionTimestamp
  if deleting then
    return verdict(false, "is being deleted since " .. tostring(deleting))
  end
  local judge = judges[kind]
  if judge and not custom then
    return judge(obj)
  end
  local result = generic(obj)
  if result then
    return result
  end
  if custom or has_status[kind] then
    return verdict(false, "no status yet")
  end
  return verdict(true, "exists")
end

return M
