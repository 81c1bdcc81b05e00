-- Whom the client trusts, and who it says it is.
global ws, env, assert, pcall, fs

local folder, WSS, MUTUAL = env.get("FOLDER"), env.get("WSS"), env.get("MUTUAL")
local ca = folder .. "/ca.pem"
local function echoes(url, opts)
  local conn <close> = ws.connect(url .. "/echo", opts)
  conn:send("x")
  return conn:recv() == "x"
end

local ok, err = pcall(ws.connect, WSS)
assert.eq({ ok, err.kind }, { false, "tls" })
assert.contains(err.hint, "pass the CA as `ca_cert`")
assert.eq(echoes(WSS, { ca_cert = ca }), true)
assert.eq(echoes(WSS, { ca_cert = fs.read(ca) }), true)
assert.eq(echoes(WSS, { insecure = true }), true)
-- The certificate has the address, too.
assert.eq(echoes((WSS:gsub("localhost", "127.0.0.1")), { ca_cert = ca }), true)

local identity = { ca_cert = ca, client_cert = folder .. "/client.pem", client_key = folder .. "/client.key" }
assert.eq(echoes(MUTUAL, identity), true)
identity = { ca_cert = ca, client_cert = fs.read(folder .. "/client.pem") .. fs.read(folder .. "/client.key") }
assert.eq(echoes(MUTUAL, identity), true)
-- With TLS 1.3 the server refuses after the client's part is done.
ok, err = pcall(ws.connect, MUTUAL, { ca_cert = ca })
assert.eq(ok, false)
