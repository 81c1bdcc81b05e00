-- assay.k8s.config: finds the API server and the credentials to use.
global base64, env, fs, ipairs, pairs, pcall, require, string, table, tostring, type, yaml

local lib = require("assay.lib")

local M = {}

local service_account = "/var/run/secrets/kubernetes.io/serviceaccount"

---@class k8s.Target
---@field base_url string
---@field token? fun(): string? read for each request, because service-account tokens rotate
---@field ca_cert? string path or PEM
---@field client_cert? string path or PEM
---@field client_key? string path or PEM
---@field proxy? string
---@field insecure? boolean
---@field headers? table<string, string>
---@field namespace? string
---@field origin string where it came from, for messages

local function token_from(file)
  return function()
    local ok, text = pcall(fs.read, file)
    if not ok then
      lib.fail {
        kind = "config",
        message = "k8s: cannot read the token: " .. lib.text_of(text),
        hint = "mount the service-account token (automountServiceAccountToken) or pass the option `token`",
      }
    end
    return (text:gsub("%s+$", ""))
  end
end

-- kubeconfig -----------------------------------------------------------------

local function load_kubeconfig(path)
  if yaml == nil then
    lib.fail {
      kind = "config",
      message = "k8s: reading a kubeconfig needs the builtin `yaml`, which this runtime lacks",
    }
  end
  local ok, config = pcall(function()
    return yaml.parse(fs.read(path))
  end)
  if not ok or type(config) ~= "table" then
    lib.fail {
      kind = "config",
      message = "k8s: kubeconfig " .. path .. ": " .. (ok and "not a kubeconfig" or lib.text_of(config)),
    }
  end
  local folder = path:match("^(.*/)") or ""
  -- Paths inside are relative to the file that names them.
  local function resolve(section, key)
    for _, entry in ipairs(config[section] or {}) do
      local settings = entry[key] or {}
      for _, name in ipairs { "certificate-authority", "client-certificate", "client-key", "tokenFile" } do
        local file = settings[name]
        if file and file:sub(1, 1) ~= "/" then
          settings[name] = folder .. file
        end
      end
    end
  end
  resolve("clusters", "cluster")
  resolve("users", "user")
  return config
end

-- Several files, as in KUBECONFIG=a:b: the first one that has a name wins.
local function merge(configs)
  local merged = { clusters = {}, users = {}, contexts = {} }
  for _, config in ipairs(configs) do
    local current = config["current-context"]
    if not merged.current and current and current ~= "" then
      merged.current = current
    end
    for _, section in ipairs { "clusters", "users", "contexts" } do
      for _, entry in ipairs(config[section] or {}) do
        if merged[section][entry.name] == nil then
          merged[section][entry.name] = entry[section:sub(1, -2)]
        end
      end
    end
  end
  return merged
end

local function pick(config, section, name, files)
  local found = name and config[section][name]
  if not found then
    local names = {}
    for known in pairs(config[section]) do
      names[#names + 1] = known
    end
    table.sort(names)
    lib.fail {
      kind = "config",
      message = string.format("k8s: kubeconfig %s has no %s `%s`", files, section:sub(1, -2), tostring(name)),
      hint = #names > 0 and "it has " .. table.concat(names, ", ") or nil,
    }
  end
  return found
end

local function inline(settings, name)
  local data = settings[name .. "-data"]
  if data then
    return base64.decode(data)
  end
  return settings[name]
end

local function from_kubeconfig(files, wanted_context)
  local configs = {}
  for _, file in ipairs(files) do
    configs[#configs + 1] = load_kubeconfig(file)
  end
  local names = table.concat(files, ":")
  local config = merge(configs)
  local context_name = wanted_context or config.current
  local context = pick(config, "contexts", context_name, names)
  local cluster = pick(config, "clusters", context.cluster, names)
  local user = context.user and context.user ~= "" and pick(config, "users", context.user, names) or {}
  if user.exec or user["auth-provider"] then
    lib.fail {
      kind = "config",
      message = string.format(
        "k8s: kubeconfig %s: user `%s` gets its credentials from another program, which Assay does not run",
        names, context.user
      ),
      hint = "pass the option `token`, for example from `kubectl create token`",
    }
  end
  local token
  if user.token then
    token = function()
      return user.token
    end
  elseif user.tokenFile then
    token = token_from(user.tokenFile)
  end
  local headers
  if user.username then
    headers = { authorization = "Basic " .. base64.encode(user.username .. ":" .. (user.password or "")) }
  end
  return {
    base_url = cluster.server,
    ca_cert = inline(cluster, "certificate-authority"),
    insecure = cluster["insecure-skip-tls-verify"],
    proxy = cluster["proxy-url"],
    client_cert = inline(user, "client-certificate"),
    client_key = inline(user, "client-key"),
    token = token,
    headers = headers,
    namespace = context.namespace,
    origin = "kubeconfig " .. names .. ", context " .. tostring(context_name),
  }
end

local function kubeconfig_files()
  local files, tried = {}, {}
  local listed = env.get("KUBECONFIG")
  if listed and listed ~= "" then
    for file in listed:gmatch("[^:]+") do
      tried[#tried + 1] = file .. " (KUBECONFIG)"
      if fs.exists(file) then
        files[#files + 1] = file
      end
    end
  else
    local home = env.get("HOME")
    if home and home ~= "" then
      local file = home .. "/.kube/config"
      tried[#tried + 1] = file
      if fs.exists(file) then
        files[1] = file
      end
    end
  end
  return files, tried
end

-- in the cluster -------------------------------------------------------------

local function from_cluster(folder)
  local host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT")
  if not host or host == "" then
    return nil
  end
  if host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  local ca = folder .. "/ca.crt"
  return {
    base_url = "https://" .. host .. ":" .. (port and port ~= "" and port or "443"),
    ca_cert = fs.exists(ca) and ca or nil,
    token = token_from(folder .. "/token"),
    origin = "the service account of this pod",
  }
end

---Finds the target: the option `base_url`, else the options `kubeconfig` and `context`, else
---the pod's service account, else `KUBECONFIG` or `~/.kube/config`. Single options override
---what was found.
---@param opts k8s.ConnectionOptions
---@return k8s.Target
function M.target(opts)
  local folder = opts.service_account or service_account
  local target
  if opts.base_url then
    target = { base_url = opts.base_url, origin = "option base_url" }
    local file = folder .. "/token"
    if fs.exists(file) then
      target.token = token_from(file)
    end
    local ca = folder .. "/ca.crt"
    if fs.exists(ca) then
      target.ca_cert = ca
    end
  elseif opts.kubeconfig then
    target = from_kubeconfig({ opts.kubeconfig }, opts.context)
  else
    target = not opts.context and from_cluster(folder) or nil
    if not target then
      local files, tried = kubeconfig_files()
      if #files == 0 then
        lib.fail {
          kind = "config",
          message = "k8s: no cluster to talk to: tried KUBERNETES_SERVICE_HOST (not set), "
            .. (#tried > 0 and table.concat(tried, ", ") .. " (no such file)" or "~/.kube/config (HOME is not set)"),
          hint = "run in a pod, set KUBECONFIG, or pass the options `base_url` and `token`",
        }
      end
      target = from_kubeconfig(files, opts.context)
    end
  end
  if opts.token then
    target.token = function()
      return opts.token
    end
    target.headers = nil
  elseif opts.token_file then
    target.token = token_from(opts.token_file)
    target.headers = nil
  end
  for _, name in ipairs { "ca_cert", "client_cert", "client_key", "proxy", "insecure" } do
    if opts[name] ~= nil then
      target[name] = opts[name]
    end
  end
  return target
end

return M
