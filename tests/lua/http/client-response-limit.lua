-- args: --response-limit=1KB
-- What the host limits comes before what the script asks for, and the error says whose limit it is.
local start <const> = require("server")
local base <const>, server <const> = start({
  GET = {
    ["/small"] = function() return { body = ("x"):rep(1000) } end,
    ["/large"] = function() return { body = ("x"):rep(2000) } end,
  },
})
assert.eq(#http.get(base .. "/small").body, 1000)
for _, opts in ipairs({ {}, { max_body = 1 << 20 }, { stream = true } }) do
  local ok, err = pcall(function()
    local answer = http.get(base .. "/large", opts)
    if opts.stream then
      while answer.body:read() do end
    end
  end)
  assert(not ok)
  assert.contains(tostring(err), "larger than 1024 bytes")
  assert.contains(err.hint, "--response-limit")
end
local ok, err = pcall(http.get, base .. "/large", { max_body = 10 })
assert(not ok and err.hint:find("max_body", 1, true))
server:cancel()
print("limited")
-- stdout: limited
