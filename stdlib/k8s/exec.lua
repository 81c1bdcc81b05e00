-- assay.k8s.exec: a command in a container, over the channels of Kubernetes' remote commands.
global async, error, ipairs, json, math, pcall, require, string, table, time, tonumber, tostring, type, ws

local lib = require("assay.lib")

local M = {}

-- The first byte of a message says what it belongs to. CLOSE ends the channel that follows it.
local STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255

local V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"

-- Of standard input, in one message.
local PIECE = 32768

---@class k8s.ExecTarget
---@field base_url string
---@field headers table<string, string>
---@field ca_cert? string
---@field client_cert? string
---@field client_key? string
---@field insecure? boolean
---@field proxy? string

---@class k8s.ExecResult
---@field stdout string
---@field stderr string
---@field exit_code integer

-- The server's own words are in a Status object, of which an error has the beginning.
local function refused(path, err)
  local message = err.message:match('"message":"(.-[^\\])"') or err.message:match('"message":"(.-)%.%.%.')
  lib.fail {
    kind = "http",
    status = err.status,
    message = string.format(
      "k8s: GET %s HTTP %d: %s", path, err.status, message and message:gsub('\\"', '"') or err.message
    ),
  }
end

local function connect(target, path, query, timeout)
  local ok, conn = pcall(ws.connect, lib.url((target.base_url:gsub("^http", "ws")), path, query), {
    headers = target.headers,
    subprotocols = { V5, V4 },
    ca_cert = target.ca_cert,
    client_cert = target.client_cert,
    client_key = target.client_key,
    insecure = target.insecure,
    proxy = target.proxy,
    timeout = math.min(timeout, 30),
  })
  if ok then
    return conn
  elseif type(conn) == "table" and conn.kind == "handshake" and conn.status then
    refused(path, conn)
  end
  error(conn, 0)
end

-- The exit code of a Status object, if the command ran at all.
---@return integer?
local function exit_code(status)
  if status.status == "Success" then
    return 0
  end
  for _, cause in ipairs(type(status.details) == "table" and status.details.causes or {}) do
    if cause.reason == "ExitCode" then
      return math.tointeger(tonumber(cause.message))
    end
  end
  return nil
end

-- What came, channel by channel, until the server closes.
local function collect(conn, what, timeout)
  local streams = { [STDOUT] = {}, [STDERR] = {}, [STATUS] = {} } ---@type table<integer, string[]>
  local deadline = time() + timeout
  while true do
    local ok, message = pcall(conn.recv, conn, math.max(deadline - time(), 0.001)) ---@type boolean, any
    if not ok then
      if message.kind == "timeout" then
        lib.fail {
          kind = "timeout",
          message = string.format("%s: no end within %g s", what, timeout),
          hint = "the option `timeout` is in seconds",
        }
      elseif message.kind == "closed" and #streams[STATUS] > 0 then
        break -- it was said how the command ended
      end
      error(message, 0)
    elseif not message then
      break
    end
    local stream = streams[message:byte(1)]
    if stream and #message > 1 then -- each channel begins with an empty message
      stream[#stream + 1] = message:sub(2)
    end
  end
  return table.concat(streams[STDOUT]), table.concat(streams[STDERR]), table.concat(streams[STATUS])
end

---@param target k8s.ExecTarget
---@param path string
---@param command string[]
---@param opts { container: string?, stdin: string?, timeout: number? }
---@return k8s.ExecResult
function M.run(target, path, command, opts)
  local timeout = opts.timeout or 60
  local what = "k8s: exec " .. command[1] .. ": " .. path
  local conn <close> = connect(target, path, {
    command = command,
    container = opts.container,
    stdin = opts.stdin and true or nil,
    stdout = true,
    stderr = true,
  }, timeout)
  if conn.subprotocol == nil then
    lib.fail { kind = "exec", message = what .. ": the server agreed to neither " .. V5 .. " nor " .. V4 }
  end
  local sender
  if opts.stdin then
    if conn.subprotocol ~= V5 then
      lib.fail {
        kind = "exec",
        message = what .. ": the server speaks only " .. V4 .. ", in which standard input has no end",
        hint = "pass the input as an argument, or update the cluster to Kubernetes 1.30",
      }
    end
    -- Beside what comes back: a command may answer before it has read everything.
    sender = async.spawn(function()
      -- A command that ends before has no use for the rest.
      pcall(function()
        for at = 1, #opts.stdin, PIECE do
          conn:send_binary(string.char(STDIN) .. opts.stdin:sub(at, at + PIECE - 1))
        end
        conn:send_binary(string.char(CLOSE, STDIN))
      end)
    end)
  end
  local ok, stdout, stderr, said = pcall(collect, conn, what, timeout)
  if sender then
    sender:cancel()
  end
  if not ok then
    error(stdout, 0)
  end
  local parsed, status = pcall(json.parse, said)
  if not parsed or type(status) ~= "table" then
    lib.fail { kind = "exec", message = what .. ": the server did not say how it ended" }
  end
  local code = exit_code(status)
  if not code then
    lib.fail {
      kind = "exec",
      status = status.code,
      message = what .. ": " .. tostring(status.message or status.reason or "it failed without a message"),
    }
  end
  return { stdout = stdout, stderr = stderr, exit_code = code }
end

return M
