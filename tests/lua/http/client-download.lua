global assert, async, crypto, fs, http, pcall, require, sleep, tostring

local start <const> = require("server")
local content <const> = ("\0\xff binary"):rep(10000)
local url <const>, server <const> = start({
  GET = {
    ["/file"] = function() return { body = content } end,
    ["/stalls"] = function()
      return {
        stream = function(write)
          write("a")
          sleep(30)
        end,
      }
    end,
  },
})
local folder <const> = fs.tempdir()
local path <const> = folder .. "/file"
local client <const> = http.client({ base_url = url })
assert.eq(client:download("/file", path, { sha256 = crypto.hash(content) }), #content)
assert(fs.read(path) == content)

local ok, err = pcall(http.download, url .. "/file", path, { sha256 = ("0"):rep(64) })
assert.eq(ok, false)
assert.eq(err.kind, "digest")
ok, err = pcall(http.download, url .. "/none", path)
assert.eq(err.kind, "status")
assert.eq(err.status, 404)
assert.contains(tostring(err), "http.download: status: 404 Not Found (" .. url .. "/none)")
assert(fs.read(path) == content)
assert.eq(#fs.list(folder), 1)

-- One that is cancelled leaves nothing behind either.
local task <const> = async.spawn(function() http.download(url .. "/stalls", path) end)
while #fs.list(folder) == 1 do
  sleep(0.001)
end
task:cancel()
while #fs.list(folder) == 2 do
  sleep(0.001)
end
assert(fs.read(path) == content)
server:cancel()
