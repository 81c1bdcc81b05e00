-- A server that breaks the rules.
global ws, env, assert, pcall, ipairs, fs, sleep

for _, case in ipairs({ { "/bad-text", "a text that is not UTF-8" }, { "/bad-frame", "reserved bits are non-zero" } }) do
  local conn = ws.connect(env.get("WS") .. case[1])
  local ok, err = pcall(conn.recv, conn)
  assert.eq({ ok, err.kind }, { false, "protocol" })
  assert.contains(err.message, "the server broke the protocol: " .. case[2])
end
-- It is told why.
local notes = env.get("FOLDER") .. "/notes"
while not (fs.exists(notes) and #fs.read(notes) >= 10) do sleep(0.01) end
assert.eq(fs.read(notes), "1007\n1002\n")
