-- A proxy connects in our place.
assert(not pcall(function()
  local client = http.client({ proxy = "http://127.0.0.1:" .. arg[2] })
  return client:get("http://example.com/", { timeout = 2 })
end))
print("held")
