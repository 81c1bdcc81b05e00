-- URLs that are not of the web.
for _, url in ipairs({ "file://" .. arg[1] .. "/secret", "ftp://127.0.0.1/", "unix:" .. arg[1] .. "/socket", "data:,x", "gopher://127.0.0.1:" .. arg[2] .. "/" }) do
  assert(not pcall(http.get, url), url)
end
print("held")
