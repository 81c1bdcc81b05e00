-- The verbs of assay.k8s against exchanges recorded from a Kubernetes 1.36 API server.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local k8s = require("assay.k8s")
local testing = require("assay.testing")

local admin = "admin-token-0123456789abcdef"
local viewer = "viewer-token-0123456789abcdef"

describe("assay.k8s", function()
  ---@type testing.Server, k8s.Client, table
  local server, c, opts

  before_each(function()
    server = testing.server("kubernetes")
    c = k8s.client { base_url = server.url, token = admin }
    opts = { base_url = server.url, token = admin }
  end)
  after_each(function()
    server:finish()
  end)

  describe("raw verbs", function()
    it("gets an object by its path", function()
      server:replay("namespace get")
      assert.eq(k8s.get("/api/v1/namespaces/demo", opts).metadata.name, "demo")
    end)

    it("are methods of a client too", function()
      server:replay("version"):replay("namespace get")
      assert.eq(c:get("/version").minor, "36")
      assert.eq(c:get("/api/v1/namespaces/demo").metadata.labels.team, "a")
    end)

    it("encode query values", function()
      server:replay("namespace list by label")
      local list = k8s.get("/api/v1/namespaces", {
        base_url = server.url, token = admin, query = { labelSelector = "team=a" },
      })
      assert.eq(#list.items, 1)
    end)

    it("post", function()
      server:replay("namespace create")
      local made = k8s.post("/api/v1/namespaces", {
        apiVersion = "v1", kind = "Namespace", metadata = { name = "demo", labels = { team = "a" } },
      }, opts)
      assert.eq(made.metadata.name, "demo")
    end)

    it("put", function()
      server:replay("configmap put (replace, no resourceVersion)")
      local body = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "c1" }, data = { z = "1" } }
      assert.eq(k8s.put("/api/v1/namespaces/demo/configmaps/c1", body, opts).data, { z = "1" })
    end)

    it("patch sends a merge patch, with nulls", function()
      server:replay("secret merge-patch (null deletes a key)")
      local secret = k8s.patch("/api/v1/namespaces/demo/secrets/s1", {
        data = { empty = json.null, extra = "eA==" }, metadata = { annotations = { note = "1" } },
      }, opts)
      assert.eq(secret.data.empty, nil)
      assert.eq(secret.data.extra, "eA==")
    end)

    it("patch takes another content type", function()
      server:replay("json-patch")
      local patched = c:patch("/api/v1/namespaces/demo/configmaps/c1", {
        { op = "test", path = "/data/z", value = "1" }, { op = "add", path = "/data/y", value = "2" },
      }, { content_type = "application/json-patch+json" })
      assert.eq(patched.data.y, "2")
    end)

    it("send text bodies as they are", function()
      server:replay("create yaml body")
      local body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fromyaml}\ndata: {a: b}\n"
      local made = c:post("/api/v1/namespaces/demo/configmaps", body, { content_type = "application/yaml" })
      assert.eq(made.metadata.name, "fromyaml")
    end)

    it("delete", function()
      server:replay("secret delete")
      assert.eq(k8s.delete("/api/v1/namespaces/demo/secrets/s1", opts).status, "Success")
    end)
  end)

  describe("objects by kind", function()
    it("get_resource", function()
      server:replay("configmap get"):replay("node get"):replay("deployment get: rollout complete")
      assert.eq(k8s.get_resource("demo", "configmap", "c1", opts).kind, "ConfigMap")
      assert.eq(c:get_resource(nil, "node", "n1").metadata.name, "n1")
      assert.eq(c:get_resource("demo", "deploy", "web").spec.replicas, 2)
    end)

    it("create", function()
      server:replay("namespace create"):replay("configmap create")
      c:create(nil, "namespace", { metadata = { name = "demo", labels = { team = "a" } } })
      local body = testing.recording("kubernetes"):exchange("configmap create").request.body
      assert.eq(k8s.create("demo", "configmap", body, opts).metadata.name, "c1")
    end)

    it("create checks only, on request", function()
      server:replay("create dryRun")
      assert.eq(c:create("demo", "cm", { metadata = { name = "dry" } }, { dry_run = true }).metadata.name, "dry")
    end)

    it("create passes the field validation on", function()
      server:replay("create unknown field, fieldValidation Strict")
      local err = testing.raised(function()
        c:create("demo", "cm", { metadata = { name = "strict" }, dota = {} }, { field_validation = "Strict" })
      end)
      assert.eq(err.status, 400)
      assert.contains(tostring(err), 'unknown field "dota"')
    end)

    it("create leaves the caller's body alone", function()
      server:replay("create dryRun")
      local body = { metadata = { name = "dry" } }
      c:create("demo", "cm", body, { dry_run = true })
      assert.eq(body, { metadata = { name = "dry" } })
    end)

    it("update", function()
      server:replay("configmap put (replace, no resourceVersion)"):replay("cr put")
      c:update("demo", "configmap", "c1", { metadata = { name = "c1" }, data = { z = "1" } })
      k8s.register_crd("Widget", "demo.example", "v1", "widgets")
      c:update("demo", "widget", "w1", { metadata = { name = "w1", resourceVersion = "1856" }, spec = { size = 6 } })
    end)

    it("update raises when somebody was faster", function()
      server:replay("configmap put with stale resourceVersion")
      local err = testing.raised(function()
        c:update("demo", "configmap", "c1", { metadata = { name = "c1", resourceVersion = "1556" }, data = { z = "1" } })
      end)
      assert.eq(err.status, 409)
      assert.contains(tostring(err), "Operation cannot be fulfilled")
    end)

    it("patch_resource", function()
      server:replay("configmap merge-patch"):replay("deployment strategic merge patch keeps the other container")
      k8s.patch_resource("demo", "configmap", "c1", { data = { a = json.null, c = "3" } }, opts)
      local containers = c:patch_resource("demo", "deployment", "web", {
        spec = { template = { spec = { containers = { { name = "app", image = "registry.example/web:2" } } } } },
      }, { content_type = "application/strategic-merge-patch+json" }).spec.template.spec.containers
      assert.eq(#containers, 2)
    end)

    it("delete_resource", function()
      server:replay("secret delete"):replay("configmap delete"):replay("cr delete, held by finalizer")
      assert.eq(k8s.delete_resource("demo", "secret", "s1", opts).status, "Success")
      c:delete_resource("demo", "configmap", "c1", { propagation_policy = "Background", grace_period_seconds = 0 })
      k8s.register_crd("Widget", "demo.example", "v1", "widgets")
      assert.not_nil(c:delete_resource("demo", "widget", "w1").metadata.deletionTimestamp)
    end)

    it("delete_resource honours preconditions", function()
      server:replay("configmap delete with preconditions uid mismatch")
      local err = testing.raised(function()
        c:delete_resource("demo", "configmap", "c1", { preconditions = { uid = "nope" } })
      end)
      assert.eq(err.status, 409)
    end)

    it("exists", function()
      server:replay("secret get"):replay("secret get missing"):replay("custom resource before its CRD", {
        request = { path = "/apis/demo.example/v1/namespaces/demo/widgets/w1" },
      })
      assert.eq(k8s.exists("demo", "secret", "s1", opts), true)
      assert.eq(c:exists("demo", "secret", "s1"), false)
      k8s.register_crd("Widget", "demo.example", "v1", "widgets")
      assert.eq(c:exists("demo", "widget", "w1"), false)
    end)

    it("exists is false only for 404: a refused token raises", function()
      server:replay("403 viewer get secret")
      local err = testing.raised(function()
        k8s.exists("demo", "secret", "s1", { base_url = server.url, token = viewer })
      end)
      assert.eq(err.status, 403)
    end)

    it("namespace_exists", function()
      server:replay("namespace get"):replay("namespace get missing")
      assert.eq(k8s.namespace_exists("demo", opts), true)
      assert.eq(c:namespace_exists("demo"), false)
    end)
  end)

  describe("server-side apply", function()
    local body = { metadata = { name = "ssa" }, data = { k = "v" } }

    it("creates, then changes nothing", function()
      server:replay("apply create"):replay("apply unchanged")
      assert.eq(k8s.apply("demo", "configmap", body, { base_url = server.url, token = admin, field_manager = "lua" }).data, { k = "v" })
      c:apply("demo", "configmap", body, { field_manager = "lua" })
    end)

    it("raises on a conflict and names the field and its manager", function()
      server:replay("apply conflict")
      local err = testing.raised(function()
        c:apply("demo", "configmap", { metadata = { name = "ssa" }, data = { k = "w" } }, { field_manager = "other" })
      end)
      assert.eq(err.status, 409)
      assert.eq(
        tostring(err),
        'k8s: PATCH /api/v1/namespaces/demo/configmaps/ssa HTTP 409: Apply failed with 1 conflict: conflict with "lua": .data.k'
      )
    end)

    it("takes fields over by force", function()
      server:replay("apply force"):replay("cr apply")
      c:apply("demo", "configmap", { metadata = { name = "ssa" }, data = { k = "w" } }, { field_manager = "other", force = true })
      k8s.register_crd("Widget", "demo.example", "v1", "widgets")
      c:apply("demo", "widget", { metadata = { name = "w1" }, spec = { size = 5 } }, { field_manager = "lua", force = true })
    end)

    it("needs a name", function()
      local err = testing.raised(function()
        c:apply("demo", "configmap", { data = {} })
      end)
      assert.eq(err.kind, "usage")
      assert.contains(err.source, "verbs_test.lua:")
      assert.contains(tostring(err), "has no metadata.name")
    end)
  end)

  describe("lists", function()
    it("come whole", function()
      server:replay("secret list"):replay("deployment list"):replay("pods of all namespaces")
      assert.eq(k8s.list("demo", "secret", opts).kind, "SecretList")
      assert.eq(c:list("demo", "deployments").kind, "DeploymentList")
      assert.eq(c:list(nil, "pod", { limit = 1 }).kind, "PodList")
    end)

    it("select by labels and fields", function()
      server:replay("secret list by label"):replay("secret list by field"):replay("secret list, selector with set expression, no match")
      assert.eq(#c:list("demo", "secret", { label_selector = "app=web,tier!=db" }).items, 1)
      assert.eq(#c:list("demo", "secret", { field_selector = "metadata.name=s1,type=Opaque" }).items, 1)
      assert.eq(#c:list("demo", "secret", { label_selector = "app in (a,b)" }).items, 0)
    end)

    it("take selectors as tables", function()
      server:replay("pods by fieldSelector", {
        request = { query = { fieldSelector = "spec.nodeName=n1,status.phase=Running", limit = "1" } },
      })
      local pods = c:list("demo", "pod", { field_selector = { ["status.phase"] = "Running", ["spec.nodeName"] = "n1" }, limit = 1 })
      assert.eq(#pods.items, 1)
    end)

    it("follow continue through all pages", function()
      server:replay("list page 1"):replay("list page 2"):replay("list page 3")
      local list = c:list("demo", "configmap", { label_selector = "page=1", page_size = 2 })
      local names = {}
      for i, item in ipairs(list.items) do
        names[i] = item.metadata.name
      end
      assert.eq(names, { "p0", "p1", "p2", "p3", "p4" })
      assert.eq(list.metadata.continue, nil)
    end)

    it("stop at the limit and say where to go on", function()
      server:replay("list page 1")
      local list = k8s.list("demo", "configmap", { base_url = server.url, token = admin, label_selector = "page=1", limit = 2 })
      assert.eq(#list.items, 2)
      assert.not_nil(list.metadata.continue)
    end)

    it("begin again when the server forgot the snapshot", function()
      local page2 = testing.recording("kubernetes"):exchange("list page 2")
      server:replay("list page 1")
      server:replay("list expired continue token (410)", { request = { query = page2.request.query } })
      server:replay("list page 1"):replay("list page 2"):replay("list page 3")
      assert.eq(#c:list("demo", "configmap", { label_selector = "page=1", page_size = 2 }).items, 5)
    end)

    it("raise when the first page is refused", function()
      server:replay("list at a too old resourceVersion, Exact")
      local err = testing.raised(function()
        c:list("demo", "configmap", { limit = 2, resource_version = "2", resource_version_match = "Exact" })
      end)
      assert.eq(err.status, 410)
    end)

    it("stay lists when they are empty", function()
      server:replay("list empty"):replay("list in missing namespace (empty, 200)")
      local list = c:list("demo", "configmap", { label_selector = "none=none" })
      assert.eq(list.items, {})
      assert.contains(json.encode(list), '"items":[]')
      assert.eq(#c:list_pods("nosuch").items, 0)
    end)

    it("raise for a selector that the server does not understand", function()
      server:replay("list invalid label selector")
      local err = testing.raised(function()
        c:list("demo", "configmap", { label_selector = "a=b=c" })
      end)
      assert.eq(err.status, 400)
    end)
  end)

  describe("shortcuts", function()
    it("get_secret decodes, binary values too", function()
      server:replay("secret get")
      local secret = k8s.get_secret("demo", "s1", opts)
      assert.eq(secret.user, "admin")
      assert.eq(secret.password, "hunter2")
      assert.eq(secret.empty, "")
      assert.eq(secret.bin, "\0\1\2\255\254\10\13")
    end)

    it("get_secret of a secret without data is empty", function()
      server:replay("secret without data", {
        request = { method = "GET", path = "/api/v1/namespaces/demo/secrets/nodata", body = "" },
        drop_headers = { "Content-Type" },
      })
      assert.eq(c:get_secret("demo", "nodata"), {})
    end)

    it("get_secret raises when there is none", function()
      server:replay("secret get missing")
      local err = testing.raised(function()
        k8s.get_secret("demo", "s1", opts)
      end)
      assert.eq(err.status, 404)
      assert.eq(tostring(err), 'k8s: GET /api/v1/namespaces/demo/secrets/s1 HTTP 404: secrets "s1" not found')
    end)

    it("get_configmap", function()
      server:replay("configmap get")
      local data = k8s.get_configmap("demo", "c1", opts)
      assert.eq(data.a, "1")
      assert.eq(data["file.ini"], "k = v\n")
      local recorded = testing.recording("kubernetes"):exchange("configmap get").response.body
      for key, value in pairs(recorded.binaryData) do
        assert.eq(data[key], base64.decode(value))
      end
    end)

    it("list_pods, list_events", function()
      server:replay("pods list"):replay("events list")
      assert.eq(k8s.list_pods("demo", opts).kind, "PodList")
      assert.eq(k8s.list_events("demo", opts).kind, "EventList")
    end)

    it("pod_status counts by phase", function()
      server:replay("pods list"):replay("pods Failed and Succeeded")
      local all = k8s.pod_status("demo", opts)
      local recorded = testing.recording("kubernetes"):exchange("pods list").response.body
      assert.eq(all.total, #recorded.items)
      assert.eq(all.running + all.pending + all.succeeded + all.failed + all.unknown, all.total)
      assert.eq(c:pod_status("demo", { label_selector = "app=once" }), {
        running = 0, pending = 0, succeeded = 1, failed = 1, unknown = 0, total = 2,
      })
    end)

    it("events_for spells the kind as events do", function()
      server:replay("events for an object"):replay("events none")
      assert.eq(#k8s.events_for("demo", "deployment", "web", opts).items, 2)
      assert.eq(#c:events_for("demo", "Secret", "s1").items, 0)
    end)

    it("service_endpoints", function()
      server:replay("endpoints get"):replay("endpoints get without addresses"):replay("endpoints missing")
      assert.eq(k8s.service_endpoints("demo", "web", opts), { "10.0.0.1", "10.0.0.1" })
      assert.eq(c:service_endpoints("demo", "empty"), {})
      local err = testing.raised(function()
        c:service_endpoints("demo", "nosuch")
      end)
      assert.eq(err.status, 404)
    end)

    it("node_status", function()
      server:replay("nodes list, two nodes")
      local nodes = k8s.node_status(opts)
      assert.eq(#nodes, 2)
      assert.eq(nodes[1].name, "n1")
      assert.eq(nodes[1].ready, true)
      assert.eq(nodes[1].capacity.pods, "110")
      assert.eq(nodes[1].allocatable.pods, "110")
      assert.eq(nodes[2].ready, false)
      assert.eq(nodes[1].roles, {})
      assert.eq(nodes[2].roles, { "control-plane" })
    end)
  end)

  describe("custom kinds", function()
    it("are known after register_crd, in any spelling", function()
      k8s.register_crd("Widget", "demo.example", "v1", "widgets")
      assert.eq(k8s._resource_path("demo", "widget", "w1"), "/apis/demo.example/v1/namespaces/demo/widgets/w1")
      assert.eq(k8s._list_path("demo", "WIDGETS"), "/apis/demo.example/v1/namespaces/demo/widgets")
      assert.eq(k8s._list_path(nil, "widget.demo.example"), "/apis/demo.example/v1/widgets")
      server:replay("cr get"):replay("cr list"):replay("cr get missing")
      assert.eq(k8s.get_resource("demo", "widget", "w1", opts).spec.size, 3)
      assert.eq(#c:list("demo", "widget").items, 1)
      assert.eq(c:exists("demo", "widget", "nosuch"), false)
    end)

    it("may belong to the cluster", function()
      k8s.register_crd("Gadget", "demo.example", "v2", "gadgets", true)
      assert.eq(k8s._resource_path("ignored", "gadget", "g"), "/apis/demo.example/v2/gadgets/g")
    end)
  end)

  describe("warnings of the server", function()
    it("do not fail a write", function()
      server:replay("create unknown field, default (Warning header)")
      local made = c:create("demo", "configmap", { metadata = { name = "warned" }, dota = {} })
      assert.eq(made.metadata.name, "warned")
    end)
  end)

  describe("errors", function()
    local function raises(name, status, text, call)
      it(status .. ": " .. name, function()
        server:replay(name)
        local err = testing.raised(call)
        assert.eq(err.kind, "http")
        assert.eq(err.status, status)
        assert.contains(tostring(err), text)
      end)
    end

    raises("401 wrong token", 401, "k8s: GET /api/v1/namespaces HTTP 401: Unauthorized", function()
      k8s.list(nil, "namespace", { base_url = server.url, token = "wrong-token" })
    end)
    raises("403 viewer list namespaces", 403, 'User "viewer" cannot list resource "namespaces"', function()
      k8s.list(nil, "namespace", { base_url = server.url, token = viewer })
    end)
    raises("403 anonymous", 403, 'system:anonymous', function()
      k8s.list(nil, "namespace", { base_url = server.url, service_account = "/nonexistent" })
    end)
    raises("403 viewer patch", 403, 'cannot patch resource "deployments"', function()
      k8s.patch_resource("demo", "deployment", "web", { spec = { replicas = 0 } }, { base_url = server.url, token = viewer })
    end)
    raises("custom resource before its CRD", 404, "HTTP 404: 404 page not found", function()
      c:get("/apis/demo.example/v1/namespaces/demo/widgets")
    end)
    raises("method not allowed", 405, "does not allow this method", function()
      c:post("/api/v1/namespaces/demo/pods/x", {})
    end)
    raises("namespace create conflict", 409, 'namespaces "demo" already exists', function()
      c:create(nil, "namespace", { metadata = { name = "demo" } })
    end)
    raises("patch with application/json", 415, "HTTP 415", function()
      c:patch("/api/v1/namespaces/demo/configmaps/c1", { data = {} }, { content_type = "application/json" })
    end)
    raises("json-patch, failed test", 422, "the server rejected our request", function()
      c:patch("/api/v1/namespaces/demo/configmaps/c1", {
        { op = "test", path = "/data/z", value = "9" }, { op = "add", path = "/data/y", value = "2" },
      }, { content_type = "application/json-patch+json" })
    end)
    raises("secret immutable patch", 422, 'Secret "imm" is invalid', function()
      c:patch_resource("demo", "secret", "imm", { data = { a = "Yg==" } })
    end)
    raises("eviction refused by the pdb (429)", 429, "Cannot evict pod", function()
      c:post("/api/v1/namespaces/demo/pods/web-84987cd976-4zngf/eviction", {
        apiVersion = "policy/v1", kind = "Eviction", metadata = { name = "web-84987cd976-4zngf", namespace = "demo" },
      })
    end)
    raises("create in a terminating namespace", 403, "is being terminated", function()
      c:create("demo", "configmap", { metadata = { name = "late" } })
    end)
  end)

  describe("misuse", function()
    local function misuse(text, hint, call)
      local err = testing.raised(call)
      assert.eq(err.kind, "usage")
      assert.contains(tostring(err), text)
      assert.contains(err.source, "verbs_test.lua:")
      assert.eq(err.hint, hint)
      assert.eq(#server.requests, 0)
    end

    it("names an unknown kind and a close one", function()
      misuse("k8s: unknown kind `deploymnt`", "did you mean `deployment`?", function()
        c:get_resource("demo", "deploymnt", "web")
      end)
      misuse("k8s: unknown kind `xyzzy`", "make a custom kind known with k8s.register_crd(kind, group, version, plural)", function()
        k8s.list("demo", "xyzzy", opts)
      end)
    end)

    it("names an unknown option and a close one", function()
      misuse("k8s.list: unknown option `lable_selector`", "did you mean `label_selector`?", function()
        c:list("demo", "pod", { lable_selector = "a=b" })
      end)
      misuse("k8s.client: unknown option `tokn`", "did you mean `token`?", function()
        k8s.client { base_url = server.url, tokn = "x" }
      end)
    end)

    it("names a mistyped connection option instead of looking for another cluster", function()
      misuse("k8s.list: unknown option `base_ulr`", "did you mean `base_url`?", function()
        k8s.list("demo", "pod", { base_ulr = server.url })
      end)
      misuse("k8s.wait_ready: unknown option `timeout`", nil, function()
        k8s.wait_ready("demo", "pod", "x", 5, { base_url = server.url, timeout = 5 })
      end)
    end)

    it("names the type of a wrong option", function()
      misuse("k8s.list: option `limit`: expected integer, got string", nil, function()
        ---@diagnostic disable-next-line: param-type-mismatch
        c:list("demo", "pod", { limit = "1" })
      end)
      misuse("k8s.client: option `base_url`: expected string, got number", nil, function()
        ---@diagnostic disable-next-line: param-type-mismatch
        k8s.client { base_url = 5 }
      end)
    end)

    it("asks for a namespace and a name", function()
      misuse("k8s: `secret` belongs to a namespace", nil, function()
        ---@diagnostic disable-next-line: param-type-mismatch
        c:get_secret(nil, "s1")
      end)
      misuse("k8s: name: expected a name, got nil", nil, function()
        ---@diagnostic disable-next-line: missing-parameter
        c:exists("demo", "secret")
      end)
    end)

    it("asks for an absolute path", function()
      misuse("k8s.get: argument 1 (path): expected an absolute path", nil, function()
        c:get("api/v1/nodes")
      end)
    end)

    it("refuses names that would change the path", function()
      local err = testing.raised(function()
        c:get_resource("..", "secret", "x")
      end)
      assert.contains(tostring(err), "cannot be a segment")
      server:replay("secret get missing", {
        request = { path = "/api/v1/namespaces/demo/secrets/a%2Fb%3Fc" },
      })
      assert.eq(c:exists("demo", "secret", "a/b?c"), false)
    end)
  end)
end)
