-- exit: 143
-- stdout: the request in flight got done
-- stdout: http.serve returned
-- SIGTERM: requests in flight are answered, new ones refused.
global assert, async, http, os, pcall, print, sleep

local url
local client <const> = async.spawn(function()
  while not url do
    sleep(0.001)
  end
  -- One idle connection, which must not hold up the end.
  assert.eq(http.get(url .. "/").body, "ok")
  print("the request in flight got " .. http.get(url .. "/term").body)
end)
http.serve(0, {
  GET = {
    ["/"] = function() return { body = "ok" } end,
    ["/term"] = function()
      os.execute("kill -TERM $PPID")
      sleep(0.3)
      local ok, err = pcall(http.get, url .. "/", { timeout = 5 })
      assert.eq(ok, false)
      assert.eq(err.kind, "connect")
      return { body = "done" }
    end,
  },
}, {
  host = "127.0.0.1",
  on_listen = function(address) url = "http://" .. address end,
})
client:await()
print("http.serve returned")
