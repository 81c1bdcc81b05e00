-- The names that scripts call. Never rename one without an alias.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local k8s = require("assay.k8s")

local functions = {
  "register_crd", "_resource_path", "_list_path", "get", "post", "put", "patch", "delete", "get_resource", "list",
  "create", "update", "patch_resource", "delete_resource", "exists", "get_secret", "get_configmap", "list_pods",
  "list_events", "pod_status", "is_ready", "wait_ready", "service_endpoints", "logs", "rollout_status", "node_status",
  "namespace_exists", "events_for", "client", "watch", "apply", "exec",
}
---@type table<string, boolean>
local not_methods = { register_crd = true, _resource_path = true, _list_path = true, client = true }

describe("assay.k8s", function()
  it("has every function, and every verb as a method", function()
    local c = k8s.client { base_url = "http://127.0.0.1:1" }
    for _, name in ipairs(functions) do
      assert.eq(type(k8s[name]), "function", name)
      if not not_methods[name] then
        assert.eq(type(c[name]), "function", "client:" .. name)
      end
    end
  end)
end)

describe("the types of assay.k8s", function()
  it("name every function, and none that is not there", function()
    local folder = debug.getinfo(k8s.client, "S").source:match("^@(.*)/init%.lua$")
    local source = fs.read(folder .. "/init.lua")
    local typed = {}
    for name in source:gmatch("%-%-%-@field ([%w_]+) fun%(") do
      typed[name] = true
    end
    for name in source:gmatch("\nfunction M%.([%w_]+)%(") do
      typed[name] = true
    end
    for name in pairs(k8s) do
      assert(typed[name], "no type for the function " .. name)
    end
    for name in pairs(typed) do
      if name ~= "on_line" then -- a field of k8s.LogOptions
        assert.eq(type(k8s[name]), "function", name)
      end
    end
  end)
end)
