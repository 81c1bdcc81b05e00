-- exit: 143
-- stdout: asked 4, the same number of connections for each: true
-- Four VMs on one port. They run the script from its start, share nothing, and end together.
global assert, async, http, ipairs, os, pairs, print, require, sleep, tostring

-- Of each VM its own.
local me <const> = tostring({})
async.spawn(function()
  -- Served by the first VM alone: the others cannot take the port, and need not.
  http.serve(0, { GET = { ["/"] = function() return { body = me } end } }, { host = "127.0.0.1" })
end)
http.serve(0, {
  GET = { ["/"] = function() return { body = me } end },
}, {
  host = "127.0.0.1",
  workers = 4,
  -- Called in the first VM only.
  on_listen = function(address)
    local seen <const> = {}
    local function count()
      local n = 0
      for _ in pairs(seen) do
        n = n + 1
      end
      return n
    end
    async.spawn(function()
      -- Workers join when they have started.
      local clients = {}
      repeat
        for _, client in ipairs(clients) do
          client:close()
        end
        clients = {}
        sleep(0.01)
        for k in pairs(seen) do
          seen[k] = nil
        end
        for i = 1, 8 do
          clients[i] = http.client({ base_url = "http://" .. address })
          local body <const> = clients[i]:get("/").body
          seen[body] = (seen[body] or 0) + 1
        end
      until count() == 4
      local same = true
      for _, n in pairs(seen) do
        same = same and n == 2
      end
      assert.eq(seen[me] ~= nil, true)
      print("asked " .. count() .. ", the same number of connections for each: " .. tostring(same))
      os.execute("kill -TERM $PPID")
    end)
  end,
})
