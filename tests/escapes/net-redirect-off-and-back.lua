-- args: --allow-net=127.0.0.1:$REDIRECTOR
-- Following by hand asks as well.
local answer = http.get("http://127.0.0.1:" .. arg[3] .. "/", { follow_redirects = false })
assert(answer.status == 302)
assert(not pcall(http.get, answer.headers.location))
print("held")
