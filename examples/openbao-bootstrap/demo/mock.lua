-- A Kubernetes API server and an OpenBao for the demo: `assay demo/mock.lua FOLDER`.
-- Both check every request (method, path, query, tokens, body), answer in the shapes recorded from
-- real servers, and count. FOLDER gets `addresses` for the shell, and after each request `verdict`:
-- `ok` once exactly the calls of two runs of the job have come, else what is wrong or still missing.
local testing = require("assay.testing")

local folder = arg[1]
if not folder then
  error("usage: assay demo/mock.lua FOLDER", 0)
end

local pod_token = "demo-service-account-token"
local root_token = "root-token"

local kubernetes = testing.recording("kubernetes")
local vault = testing.recording("vault")

-- What two runs have to send: the first makes, the second only looks.
local expected = {
  ["read the token secret"] = 2,
  ["ask for health"] = 3, -- sealed the first time
  ["look up the token"] = 2,
  ["read the policy"] = 2,
  ["write the policy"] = 1,
  ["read the credentials"] = 4,
  ["write the credentials"] = 1,
}
local counts, problems = {}, {}
local policy, credentials

local function write_verdict()
  local lines = {}
  for _, problem in ipairs(problems) do
    lines[#lines + 1] = "wrong: " .. problem
  end
  for call, wanted in pairs(expected) do
    if (counts[call] or 0) ~= wanted then
      lines[#lines + 1] = string.format("%s: %d of %d calls", call, counts[call] or 0, wanted)
    end
  end
  table.sort(lines)
  fs.write(folder .. "/verdict", (#lines == 0 and "ok" or table.concat(lines, "\n")) .. "\n")
end

-- The recorded answer, with what belongs to this demo put in its place.
local function recorded(recording, name, change)
  local answer = recording:exchange(name).response
  local body = answer.body
  if type(body) == "table" then
    body = json.parse(json.encode(body), { null = true })
    if change then
      change(body)
    end
    body = json.encode(body)
  end
  return { status = answer.status, headers = { ["Content-Type"] = answer.headers["Content-Type"] }, body = body }
end

local function parsed(body)
  local ok, value = pcall(json.parse, body)
  return ok and type(value) == "table" and value or {}
end

local function same_keys(t, ...)
  local wanted = {}
  for _, key in ipairs { ... } do
    wanted[key] = true
    if t[key] == nil then
      return false
    end
  end
  for key in pairs(t) do
    if not wanted[key] then
      return false
    end
  end
  return true
end

-- Runs a route's checks and answers; anything unexpected is written down and refused.
local function serve(routes)
  return function(req)
    local function refuse(why)
      local problem = req.method .. " " .. req.path .. ": " .. why
      problems[#problems + 1] = problem
      write_verdict()
      return { status = 501, json = { message = "mock: " .. problem, errors = json.array { "mock: " .. problem } } }
    end
    local route = routes[req.method .. " " .. req.path]
    if not route then
      return refuse("nobody expects this request")
    end
    if req.query ~= nil and req.query ~= "" then
      return refuse("no query expected, got " .. req.query)
    end
    for _, name in ipairs { "authorization", "x-vault-token", "x-vault-namespace", "content-type" } do
      local wanted = (route.headers or {})[name]
      if req.headers[name] ~= wanted then
        return refuse("header " .. name .. ": expected " .. tostring(wanted) .. ", got " .. tostring(req.headers[name]))
      end
    end
    if route.body then
      local wrong = route.body(parsed(req.body))
      if wrong then
        return refuse("body: " .. wrong)
      end
    elseif req.body ~= nil and req.body ~= "" then
      return refuse("no body expected")
    end
    counts[route.call] = (counts[route.call] or 0) + 1
    if counts[route.call] > expected[route.call] then
      return refuse("one call too many")
    end
    local answer = route.answer(parsed(req.body))
    write_verdict()
    return answer
  end
end

local api_server = serve {
  ["GET /api/v1/namespaces/openbao/secrets/openbao-root-token"] = {
    call = "read the token secret",
    headers = { authorization = "Bearer " .. pod_token },
    answer = function()
      return recorded(kubernetes, "secret get", function(secret)
        secret.metadata.name = "openbao-root-token"
        secret.metadata.namespace = "openbao"
        secret.data = { ["root-token"] = base64.encode(root_token) }
      end)
    end,
  },
}

local token = { ["x-vault-token"] = root_token }
local token_and_json = { ["x-vault-token"] = root_token, ["content-type"] = "application/json" }

local openbao = serve {
  ["GET /v1/sys/health"] = {
    call = "ask for health",
    answer = function()
      return recorded(vault, counts["ask for health"] == 1 and "sealed: health 503" or "health: active")
    end,
  },
  ["GET /v1/auth/token/lookup-self"] = {
    call = "look up the token",
    headers = token,
    answer = function()
      return recorded(vault, "token lookup root (never expires)")
    end,
  },
  ["GET /v1/sys/policies/acl/shop"] = {
    call = "read the policy",
    headers = token,
    answer = function()
      if not policy then
        return recorded(vault, "policy get missing")
      end
      return recorded(vault, "policy get", function(body)
        body.data = { name = "shop", policy = policy }
      end)
    end,
  },
  ["PUT /v1/sys/policies/acl/shop"] = {
    call = "write the policy",
    headers = token_and_json,
    body = function(body)
      if not same_keys(body, "policy") or not tostring(body.policy):find('path "secrets/data/shop/*"', 1, true) then
        return 'expected a policy for path "secrets/data/shop/*"'
      end
    end,
    answer = function(body)
      policy = body.policy
      return recorded(vault, "policy put")
    end,
  },
  ["GET /v1/secrets/data/shop/database"] = {
    call = "read the credentials",
    headers = token,
    answer = function()
      if not credentials then
        return recorded(vault, "kv2 read missing")
      end
      return recorded(vault, "kv2 read", function(body)
        body.data.data = credentials
      end)
    end,
  },
  ["POST /v1/secrets/data/shop/database"] = {
    call = "write the credentials",
    headers = token_and_json,
    body = function(body)
      if not same_keys(body, "data", "options") or body.options.cas ~= 0 then
        return "expected data, and options that create only (cas = 0)"
      end
      if not same_keys(body.data, "username", "password") or body.data.username ~= "shop" then
        return "expected the keys username (shop) and password"
      end
      if not tostring(body.data.password):find("^%w+$") or #body.data.password ~= 32 then
        return "expected a password of 32 letters and digits"
      end
    end,
    answer = function(body)
      credentials = body.data
      return recorded(vault, "kv2 write")
    end,
  },
}

local addresses = {}
local function listen(name, handler)
  return function()
    http.serve(0, { ["*"] = { ["/*"] = handler } }, {
      host = "127.0.0.1",
      on_listen = function(address)
        addresses[#addresses + 1] = name .. "=http://" .. address
        if #addresses == 2 then
          fs.write(folder .. "/token", pod_token .. "\n")
          fs.write(folder .. "/addresses", table.concat(addresses, "\n") .. "\n")
        end
      end,
    })
  end
end

write_verdict()
async.all { listen("KUBERNETES_API_URL", api_server), listen("OPENBAO_ADDR", openbao) }
