-- Where assay.k8s finds its cluster and credentials.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local config = require("assay.k8s.config")
local k8s = require("assay.k8s")
local testing = require("assay.testing")

local names = { "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG", "HOME" }

local kubeconfig = [[
apiVersion: v1
kind: Config
current-context: dev
clusters:
- name: dev
  cluster: {server: "https://dev.example:6443", certificate-authority: pki/ca.crt}
- name: prod
  cluster: {server: "https://prod.example:6443", certificate-authority-data: UEVN, proxy-url: "http://proxy.example:3128"}
- name: lab
  cluster: {server: "https://lab.example", insecure-skip-tls-verify: true}
users:
- name: dev
  user: {token: dev-token}
- name: prod
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: lab
  user: {username: bob, password: "s:ecret"}
- name: cloud
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: cloud-login}}
contexts:
- name: dev
  context: {cluster: dev, user: dev, namespace: team-a}
- name: prod
  context: {cluster: prod, user: prod}
- name: lab
  context: {cluster: lab, user: lab}
- name: cloud
  context: {cluster: prod, user: cloud}
]]

describe("assay.k8s target", function()
  ---@type string, table<string, string|false>
  local folder, kept

  before_each(function()
    kept = {}
    for _, name in ipairs(names) do
      kept[name] = env.get(name) or false
      env.set(name, "")
    end
    folder = fs.tempdir()
    fs.write(folder .. "/config", kubeconfig)
    fs.write(folder .. "/sa/token", "pod-token\n")
    fs.write(folder .. "/sa/ca.crt", "PEM")
  end)
  after_each(function()
    for name, value in pairs(kept) do
      env.set(name, value or "")
    end
    fs.remove(folder, { recursive = true })
  end)

  it("is the pod's own cluster", function()
    env.set("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    env.set("KUBERNETES_SERVICE_PORT", "6443")
    local target = config.target { service_account = folder .. "/sa" }
    assert.eq(target.base_url, "https://10.96.0.1:6443")
    assert.eq(target.ca_cert, folder .. "/sa/ca.crt")
    assert.eq(target.token(), "pod-token")
  end)

  it("writes an IPv6 address in brackets", function()
    env.set("KUBERNETES_SERVICE_HOST", "fd00::1")
    env.set("KUBERNETES_SERVICE_PORT", "443")
    assert.eq(config.target({ service_account = folder .. "/sa" }).base_url, "https://[fd00::1]:443")
  end)

  it("reads a token that rotated", function()
    env.set("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    local target = config.target { service_account = folder .. "/sa" }
    assert.eq(target.token(), "pod-token")
    fs.write(folder .. "/sa/token", "rotated")
    assert.eq(target.token(), "rotated")
  end)

  it("sends the rotated token with the next request", function()
    local server = testing.server("kubernetes")
    fs.write(folder .. "/sa/token", "wrong-token")
    fs.remove(folder .. "/sa/ca.crt") -- it is no certificate, and the mock speaks plain HTTP
    local c = k8s.client { base_url = server.url, service_account = folder .. "/sa" }
    server:replay("401 wrong token"):replay("namespace get")
    assert.eq(testing.raised(function()
      c:list(nil, "namespace")
    end).status, 401)
    fs.write(folder .. "/sa/token", "admin-token-0123456789abcdef\n")
    assert.eq(c:get_resource(nil, "namespace", "demo").metadata.name, "demo")
    server:finish()
  end)

  it("says so when the pod has no token", function()
    env.set("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    local target = config.target { service_account = folder .. "/nothing" }
    local err = testing.raised(target.token --[[@as fun()]])
    assert.contains(tostring(err), "k8s: cannot read the token")
    assert.contains(tostring(err), folder .. "/nothing/token")
    assert.contains(err.hint, "automountServiceAccountToken")
  end)

  it("is the option base_url before anything else", function()
    env.set("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    local target = config.target { base_url = "http://localhost:8001", token = "t", service_account = folder .. "/sa" }
    assert.eq(target.base_url, "http://localhost:8001")
    assert.eq(target.token(), "t")
  end)

  it("is a kubeconfig's current context", function()
    env.set("KUBECONFIG", folder .. "/config")
    local target = config.target {}
    assert.eq(target.base_url, "https://dev.example:6443")
    assert.eq(target.token(), "dev-token")
    assert.eq(target.ca_cert, folder .. "/pki/ca.crt")
  end)

  it("is the named context, even in a pod", function()
    env.set("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    env.set("KUBECONFIG", folder .. "/config")
    local target = config.target { context = "prod" }
    assert.eq(target.base_url, "https://prod.example:6443")
    assert.eq(target.ca_cert, "PEM")
    assert.eq(target.client_cert, "CERT")
    assert.eq(target.client_key, "KEY")
    assert.eq(target.proxy, "http://proxy.example:3128")
    assert.eq(target.token, nil)
  end)

  it("takes a password and an unchecked certificate from a kubeconfig", function()
    local target = config.target { kubeconfig = folder .. "/config", context = "lab" }
    assert.eq(target.insecure, true)
    assert.eq(target.headers.authorization, "Basic " .. base64.encode("bob:s:ecret"))
  end)

  it("is found in the home folder", function()
    fs.write(folder .. "/.kube/config", kubeconfig)
    env.set("HOME", folder)
    assert.eq(config.target({}).base_url, "https://dev.example:6443")
  end)

  it("merges several kubeconfigs, the first one wins", function()
    local second = kubeconfig:gsub("dev%.example", "second.example"):gsub("name: lab", "name: extra")
    second = second:gsub("cluster: lab, user: lab", "cluster: extra, user: extra")
    fs.write(folder .. "/second", second)
    env.set("KUBECONFIG", folder .. "/config:" .. folder .. "/second:" .. folder .. "/missing")
    assert.eq(config.target({}).base_url, "https://dev.example:6443")
    assert.eq(config.target({ context = "extra" }).base_url, "https://lab.example")
  end)

  it("names the contexts there are", function()
    local err = testing.raised(function()
      config.target { kubeconfig = folder .. "/config", context = "staging" }
    end)
    assert.contains(tostring(err), "has no context `staging`")
    assert.contains(err.hint, "cloud, dev, lab, prod")
  end)

  it("does not run credential programs", function()
    local err = testing.raised(function()
      config.target { kubeconfig = folder .. "/config", context = "cloud" }
    end)
    assert.contains(tostring(err), "user `cloud` gets its credentials from another program")
  end)

  it("names a kubeconfig that cannot be read", function()
    local err = testing.raised(function()
      config.target { kubeconfig = folder .. "/nosuch" }
    end)
    assert.contains(tostring(err), "k8s: kubeconfig " .. folder .. "/nosuch")
  end)

  it("names everything tried when there is no cluster", function()
    env.set("HOME", folder)
    local err = testing.raised(function()
      config.target {}
    end)
    assert.contains(tostring(err), "KUBERNETES_SERVICE_HOST (not set)")
    assert.contains(tostring(err), folder .. "/.kube/config (no such file)")
    assert.contains(err.hint, "KUBECONFIG")
  end)
end)
