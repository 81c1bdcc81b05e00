-- error: has a part `..`
-- error: the handler of GET /unreadable failed:
-- Files: types, conditions, ranges, and what is not there.
global assert, fs, http, ipairs, os, require

local start <const> = require("server")
local folder <const> = fs.tempdir()
fs.write(folder .. "/secret", "secret")
fs.mkdir(folder .. "/public/deep")
fs.write(folder .. "/public/a.txt", "0123456789")
fs.write(folder .. "/public/empty", "")
fs.write(folder .. "/public/deep/Page.HTML", "<p>")
fs.write(folder .. "/public/bytes", "\0\xff\r\n")
local big <const> = ("0123456789abcdef"):rep(1 << 17)
fs.write(folder .. "/public/big.bin", big)
os.execute("mkfifo " .. folder .. "/public/pipe")
os.execute("ln -s loop " .. folder .. "/public/loop")

local url <const>, server <const> = start({
  GET = {
    ["/files/*"] = function(req) return { file = folder .. "/public/" .. req.path_params["*"] } end,
    ["/own"] = function()
      return {
        file = folder .. "/public/a.txt",
        headers = { ["Content-Type"] = "text/x", ETag = '"mine"', ["Cache-Control"] = "no-store" },
      }
    end,
    ["/status"] = function() return { status = 404, file = folder .. "/public/deep/Page.HTML" } end,
    ["/unreadable"] = function() return { file = folder .. "/public/loop" } end,
  },
  POST = { ["/"] = function() return { file = folder .. "/public/a.txt" } end },
})
local function get(path, headers)
  return http.get(url .. "/files/" .. path, { headers = headers })
end

local whole <const> = get("a.txt")
assert.eq(whole.status, 200)
assert.eq(whole.body, "0123456789")
assert.eq(whole.headers["content-type"], "text/plain; charset=utf-8")
assert.eq(whole.headers["content-length"], "10")
assert.eq(whole.headers["accept-ranges"], "bytes")
assert.matches(whole.headers.etag, '^"%x+%-a"$')
assert.matches(whole.headers["last-modified"], "^%a+, %d%d %a+ %d%d%d%d %d%d:%d%d:%d%d GMT$")
assert.eq(get("deep/Page.HTML").headers["content-type"], "text/html; charset=utf-8")
assert.eq(get("bytes").body, "\0\xff\r\n")
assert.eq(get("bytes").headers["content-type"], "application/octet-stream")
assert.eq(get("empty").body, "")
assert.eq(get("empty").headers["content-length"], "0")
assert.eq(get("big.bin").body == big, true)
assert.eq(http.post(url .. "/", "").body, "0123456789")

local head <const> = http.head(url .. "/files/a.txt", { headers = { Range = "bytes=1-2" } })
assert.eq(head.status, 200)
assert.eq(head.body, "")
assert.eq(head.headers["content-length"], "10")
assert.eq(head.headers.etag, whole.headers.etag)

-- Conditions.
local etag <const>, modified <const> = whole.headers.etag, whole.headers["last-modified"]
for _, case in ipairs({
  { { ["If-None-Match"] = etag }, 304 },
  { { ["If-None-Match"] = '"x", W/' .. etag }, 304 },
  { { ["If-None-Match"] = "*" }, 304 },
  { { ["If-None-Match"] = '"x"' }, 200 },
  { { ["If-Modified-Since"] = modified }, 304 },
  { { ["If-Modified-Since"] = "Thu, 01 Jan 1970 00:00:00 GMT" }, 200 },
  { { ["If-Modified-Since"] = "yesterday" }, 200 },
  -- The tag decides where there are both.
  { { ["If-None-Match"] = '"x"', ["If-Modified-Since"] = modified }, 200 },
  { { ["If-Match"] = etag }, 200 },
  { { ["If-Match"] = '"x"' }, 412 },
  { { ["If-Unmodified-Since"] = "Thu, 01 Jan 1970 00:00:00 GMT" }, 412 },
  { { ["If-Unmodified-Since"] = modified }, 200 },
}) do
  local response <const> = get("a.txt", case[1])
  assert.eq(response.status, case[2], case[1])
  assert.eq(response.body, case[2] == 200 and "0123456789" or "", case[1])
  if case[2] == 304 then
    assert.eq(response.headers.etag, etag)
    assert.eq(response.headers["content-type"], nil)
  end
end

-- Ranges.
for _, case in ipairs({
  { { Range = "bytes=0-0" }, 206, "0", "bytes 0-0/10" },
  { { Range = "bytes=7-" }, 206, "789", "bytes 7-9/10" },
  { { Range = "bytes=-2" }, 206, "89", "bytes 8-9/10" },
  { { Range = "bytes=5-100" }, 206, "56789", "bytes 5-9/10" },
  { { Range = "bytes=10-" }, 416, "", "bytes */10" },
  { { Range = "bytes=0-1,3-4" }, 200, "0123456789", nil },
  { { Range = "lines=0-1" }, 200, "0123456789", nil },
  { { Range = "bytes=0-1", ["If-Range"] = etag }, 206, "01", "bytes 0-1/10" },
  { { Range = "bytes=0-1", ["If-Range"] = modified }, 206, "01", "bytes 0-1/10" },
  { { Range = "bytes=0-1", ["If-Range"] = '"x"' }, 200, "0123456789", nil },
}) do
  local response <const> = get("a.txt", case[1])
  assert.eq(response.status, case[2], case[1])
  assert.eq(response.body, case[3], case[1])
  assert.eq(response.headers["content-range"], case[4], case[1])
end
assert.eq(get("big.bin", { Range = "bytes=1000000-" }).body == big:sub(1000001), true)

-- The handler's headers and status win.
local own <const> = http.get(url .. "/own")
assert.eq(own:header_values("content-type"), { "text/x" })
assert.eq(own:header_values("etag"), { '"mine"' })
assert.eq(own.headers["cache-control"], "no-store")
assert.eq(http.get(url .. "/own", { headers = { ["If-None-Match"] = '"mine"' } }).status, 304)
local status <const> = http.get(url .. "/status", { headers = { Range = "bytes=0-0" } })
assert.eq(status.status, 404)
assert.eq(status.body, "<p>")

-- What is not there, or no file, or outside.
for _, path in ipairs({ "", "nothing", "deep", "a.txt/x", "pipe", "..%2fsecret", "deep/..%2f..%2fsecret", "a%00b" }) do
  local response <const> = get(path)
  assert.eq(response.status, 404, path)
  assert.eq(response.body, "not found\n", path)
end
assert.eq(http.get(url .. "/unreadable").status, 500)
server:cancel()
