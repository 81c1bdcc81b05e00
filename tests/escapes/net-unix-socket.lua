-- A socket in the file system is a way to this machine's services.
assert(not pcall(function()
  local client = http.client({ unix_socket = arg[1] .. "/socket" })
  return client:get("http://localhost/", { timeout = 2 })
end))
print("held")
