-- HTTPS: certificate and key as PEM and as paths, bodies of every size, connections that are kept.
global assert, fs, http, ipairs, pcall, require

local start <const> = require("server")
local certificate <const> = require("certificate")
local big <const> = ("0123456789abcdef"):rep(1 << 16)
local folder <const> = fs.tempdir()
fs.write(folder .. "/cert.pem", certificate.cert)
fs.write(folder .. "/key.pem", certificate.key)

for _, tls in ipairs({
  { cert = certificate.cert, key = certificate.key },
  { cert = folder .. "/cert.pem", key = folder .. "/key.pem" },
}) do
  local plain_url <const>, server <const> = start({
    GET = {
      ["/"] = function(req) return { body = req.peer } end,
      ["/big"] = function() return { body = big } end,
      ["/parts"] = function()
        return {
          stream = function(write)
            for _ = 1, 16 do
              write(big:sub(1, 1 << 16))
            end
          end,
        }
      end,
      ["/file"] = function() return { file = folder .. "/cert.pem" } end,
    },
    POST = { ["/"] = function(req) return { body = req.body } end },
  }, { tls = tls })
  local url <const> = plain_url:gsub("^http:", "https:")
  local client <const> = http.client({ ca_cert = certificate.cert, base_url = url })
  -- Whether the server keeps the connection. Under load the client at times opens another before it has that one back.
  local function kept(path, wanted)
    for _ = 1, 20 do
      local peer <const> = client:get("/").body
      assert.eq(client:get(path).body == wanted, true)
      if client:get("/").body == peer then
        return true
      end
    end
  end
  assert.eq(client:post("/", big).body == big, true)
  assert(kept("/big", big))
  assert(kept("/parts", big))
  assert(kept("/file", certificate.cert))
  assert.eq(client:get("/nothing").status, 404)
  -- Who speaks no TLS, or trusts no such certificate, gets nothing.
  local ok, err = pcall(http.get, plain_url .. "/")
  assert.eq(ok, false)
  assert.eq(err.kind, "response")
  ok, err = pcall(http.get, url .. "/")
  assert.eq(ok, false)
  assert.eq(err.kind, "tls")
  assert.eq(client:get("/").status, 200)
  client:close()
  server:cancel()
end
