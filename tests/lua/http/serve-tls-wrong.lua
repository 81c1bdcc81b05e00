-- What is wrong with `tls` is said of the option that is wrong.
global assert, fs, http, pcall, require, tostring

local certificate <const> = require("certificate")
local function refused(tls, text)
  local ok, err = pcall(http.serve, 0, {}, { host = "127.0.0.1", tls = tls })
  assert.eq(ok, false, text)
  assert.eq(err.kind, "argument", text)
  assert.contains(tostring(err), text)
end
local cert <const>, key <const> = certificate.cert, certificate.key
refused({ cert = cert }, "`key` is missing")
refused({ cert = cert, key = key, ca = cert }, "unknown option `ca`")
refused({ cert = "/nothing/there.pem", key = key }, "option `tls.cert`: cannot read /nothing/there.pem: no such file")
refused({ cert = cert, key = "/nothing/key.pem" }, "option `tls.key`: cannot read /nothing/key.pem: no such file")
refused({ cert = key, key = key }, "option `tls.cert`: the PEM text holds no certificate")
refused({ cert = cert, key = cert }, "option `tls.key`")
refused({ cert = cert, key = certificate.other_key }, "`tls.key`")
local empty <const> = fs.tempdir() .. "/empty.pem"
fs.write(empty, "")
refused({ cert = empty, key = key }, "option `tls.cert`: " .. empty .. " holds no certificate")
