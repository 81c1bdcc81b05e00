-- args: -- run
-- Through a proxy that the environment names: a second process has it in its environment.
global ws, env, assert, ipairs, pcall, fs, tostring, io, arg, os

-- The variables are read once, so each case is a process; the shell starts them.
local self, runtime = arg[0], fs.exists("/proc/self/exe") and "/proc/self/exe"
if arg[1] == "child" then
  local ok, err = pcall(function()
    local conn <close> = ws.connect(env.get("URL"), { ca_cert = env.get("FOLDER") .. "/ca.pem" })
    conn:send("through")
    return conn:recv()
  end)
  io.write(ok and "ok " or "failed ", tostring(err), "\n")
  os.exit(0)
end
local function child(url, variables)
  local command = "exe=$(readlink /proc/$PPID/exe); URL='" .. url .. "' " .. variables .. " \"$exe\" '" .. self .. "' child"
  local process = io.popen(command)
  local said = process:read("a")
  process:close()
  return said
end
local PROXY, WS, WSS = env.get("PROXY"), env.get("WS") .. "/echo", env.get("WSS") .. "/echo"
local credentials = "http://me:secret@" .. PROXY
assert.eq(child(WSS, "HTTPS_PROXY=" .. credentials), "ok through\n")
assert.eq(child(WS, "http_proxy=" .. credentials), "ok through\n")
assert.eq(child(WSS, "ALL_PROXY=" .. credentials), "ok through\n")
local notes = fs.read(env.get("FOLDER") .. "/notes")
assert.eq(notes, "CONNECT " .. WSS:match("//(.-)/") .. "\nCONNECT " .. WS:match("//(.-)/") .. "\nCONNECT " .. WSS:match("//(.-)/") .. "\n")
-- The script's own word counts for more.
do
  local conn <close> = ws.connect(WSS, { ca_cert = env.get("FOLDER") .. "/ca.pem", proxy = credentials })
  conn:send("x")
  assert.eq(conn:recv(), "x")
end
assert.eq(#fs.read(env.get("FOLDER") .. "/notes"), #notes + #("CONNECT " .. WSS:match("//(.-)/") .. "\n"))
for _, bad in ipairs({ "", "host:80", "socks5://host:1" }) do
  local ok, err = pcall(ws.connect, WSS, { proxy = bad })
  assert.eq({ ok, err.kind }, { false, "argument" }, bad)
end

-- Not for those that are listed, nor with the other scheme's.
assert.eq(child(WSS, "HTTPS_PROXY=http://127.0.0.1:1 NO_PROXY=localhost"), "ok through\n")
assert.eq(child(WS, "HTTPS_PROXY=http://127.0.0.1:1"), "ok through\n")
local said = child(WSS, "HTTPS_PROXY=http://me:wrong@" .. PROXY)
assert.contains(said, "failed ws.connect: proxy: " .. PROXY .. ": answered 407 Proxy Authentication Required")
assert.eq(said:find("wrong"), nil)
said = child(WSS, "HTTPS_PROXY=http://127.0.0.1:1")
assert.contains(said, "proxy: 127.0.0.1:1: connect: connection refused")
said = child(WSS, "HTTPS_PROXY=socks5://127.0.0.1:1")
assert.contains(said, "only proxies of http:// and https:// are supported")

-- One that speaks TLS, which is trusted as the server is.
local secure = "https://me:secret@" .. env.get("TLS_PROXY")
for _, url in ipairs({ WS, WSS }) do
  local before = #fs.read(env.get("FOLDER") .. "/notes")
  local conn <close> = ws.connect(url, { ca_cert = env.get("FOLDER") .. "/ca.pem", proxy = secure })
  conn:send("twice")
  assert.eq(conn:recv(), "twice")
  assert.eq(fs.read(env.get("FOLDER") .. "/notes"):sub(before + 1), "CONNECT " .. url:match("//(.-)/") .. "\n")
  local ok, err = pcall(ws.connect, url, { proxy = secure })
  assert.eq({ ok, err.kind }, { false, "proxy" })
  assert.eq(tostring(err), "ws.connect: proxy: " .. env.get("TLS_PROXY") .. ": tls: invalid peer certificate: UnknownIssuer (" .. url .. ")")
  assert.contains(err.hint, "pass the CA as `ca_cert`")
end
assert.eq(child(WSS, "HTTPS_PROXY=" .. secure), "ok through\n")
