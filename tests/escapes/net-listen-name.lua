-- args: --allow-net=10.0.0.0/8
-- A name that may be in a network that is allowed, and is this machine.
for _, host in ipairs({ "localhost", "localhost.", "0", "127.1" }) do
  local ok, err = pcall(http.serve, 0, { GET = { ["/"] = function() end } }, { host = host })
  assert(not ok and (err.kind == "permission" or err.kind == "listen"), err)
end
print("held")
