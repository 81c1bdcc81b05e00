-- args: --allow-net=ip6-localhost,ip6-loopback,evil.example
-- A name that is allowed leads to this machine.
for _, name in ipairs({ "ip6-localhost", "ip6-loopback" }) do
  assert(not pcall(http.get, "http://" .. name .. ":" .. arg[2] .. "/"), name)
end
print("held")
