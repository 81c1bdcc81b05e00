-- Every built-in kind has the path that the API server has for it.
local k8s = require("assay.k8s")
local testing = require("assay.testing")

-- kind, a namespaced path, from the OpenAPI document of Kubernetes 1.36
local expected = {
  pod = "/api/v1/namespaces/d/pods", po = "/api/v1/namespaces/d/pods",
  service = "/api/v1/namespaces/d/services", svc = "/api/v1/namespaces/d/services",
  secret = "/api/v1/namespaces/d/secrets",
  configmap = "/api/v1/namespaces/d/configmaps", cm = "/api/v1/namespaces/d/configmaps",
  endpoints = "/api/v1/namespaces/d/endpoints",
  serviceaccount = "/api/v1/namespaces/d/serviceaccounts", sa = "/api/v1/namespaces/d/serviceaccounts",
  persistentvolumeclaim = "/api/v1/namespaces/d/persistentvolumeclaims", pvc = "/api/v1/namespaces/d/persistentvolumeclaims",
  limitrange = "/api/v1/namespaces/d/limitranges",
  resourcequota = "/api/v1/namespaces/d/resourcequotas",
  replicationcontroller = "/api/v1/namespaces/d/replicationcontrollers",
  event = "/api/v1/namespaces/d/events",
  namespace = "/api/v1/namespaces", ns = "/api/v1/namespaces",
  node = "/api/v1/nodes",
  persistentvolume = "/api/v1/persistentvolumes", pv = "/api/v1/persistentvolumes",
  deployment = "/apis/apps/v1/namespaces/d/deployments", deploy = "/apis/apps/v1/namespaces/d/deployments",
  statefulset = "/apis/apps/v1/namespaces/d/statefulsets", sts = "/apis/apps/v1/namespaces/d/statefulsets",
  daemonset = "/apis/apps/v1/namespaces/d/daemonsets", ds = "/apis/apps/v1/namespaces/d/daemonsets",
  replicaset = "/apis/apps/v1/namespaces/d/replicasets", rs = "/apis/apps/v1/namespaces/d/replicasets",
  controllerrevision = "/apis/apps/v1/namespaces/d/controllerrevisions",
  job = "/apis/batch/v1/namespaces/d/jobs",
  cronjob = "/apis/batch/v1/namespaces/d/cronjobs",
  ingress = "/apis/networking.k8s.io/v1/namespaces/d/ingresses",
  networkpolicy = "/apis/networking.k8s.io/v1/namespaces/d/networkpolicies",
  ingressclass = "/apis/networking.k8s.io/v1/ingressclasses",
  endpointslice = "/apis/discovery.k8s.io/v1/namespaces/d/endpointslices",
  lease = "/apis/coordination.k8s.io/v1/namespaces/d/leases",
  hpa = "/apis/autoscaling/v2/namespaces/d/horizontalpodautoscalers",
  horizontalpodautoscaler = "/apis/autoscaling/v2/namespaces/d/horizontalpodautoscalers",
  pdb = "/apis/policy/v1/namespaces/d/poddisruptionbudgets",
  poddisruptionbudget = "/apis/policy/v1/namespaces/d/poddisruptionbudgets",
  role = "/apis/rbac.authorization.k8s.io/v1/namespaces/d/roles",
  rolebinding = "/apis/rbac.authorization.k8s.io/v1/namespaces/d/rolebindings",
  clusterrole = "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  clusterrolebinding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  storageclass = "/apis/storage.k8s.io/v1/storageclasses",
  volumeattachment = "/apis/storage.k8s.io/v1/volumeattachments",
  csidriver = "/apis/storage.k8s.io/v1/csidrivers",
  priorityclass = "/apis/scheduling.k8s.io/v1/priorityclasses",
  crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  apiservice = "/apis/apiregistration.k8s.io/v1/apiservices",
  mutatingwebhookconfiguration = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  validatingwebhookconfiguration = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
}

describe("assay.k8s kinds", function()
  it("have the server's paths", function()
    for kind, path in pairs(expected) do
      assert.eq(k8s._list_path("d", kind), path)
      assert.eq(k8s._resource_path("d", kind, "x"), path .. "/x")
    end
  end)

  it("agree with the recorded discovery of apps/v1, short names included", function()
    local discovery = testing.recording("kubernetes"):exchange("discovery group version apps/v1").response.body
    for _, resource in ipairs(discovery.resources) do
      if not resource.name:find("/") then
        local path = "/apis/apps/v1/namespaces/d/" .. resource.name
        assert.eq(k8s._list_path("d", resource.kind), path)
        assert.eq(k8s._list_path("d", resource.name), path)
        for _, short in ipairs(resource.shortNames or {}) do
          assert.eq(k8s._list_path("d", short), path)
        end
      end
    end
  end)

  it("list over all namespaces without one", function()
    assert.eq(k8s._list_path(nil, "pod"), "/api/v1/pods")
    assert.eq(k8s._list_path("", "deployment"), "/apis/apps/v1/deployments")
  end)
end)
