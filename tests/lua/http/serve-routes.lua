global assert, http, pairs, require

local start <const> = require("server")
local function says(text)
  return function(req) return { body = text, headers = { ["X-Rest"] = req.path_params["*"] or "" } } end
end
local url <const>, server <const> = start({
  GET = {
    ["/"] = says("root"),
    ["/users"] = says("users"),
    ["/users/:id"] = says("user"),
    ["/users/me"] = says("me"),
    ["/users/{id}/posts/{post}"] = function(req) return { json = req.path_params } end,
    ["/files/*"] = says("files"),
    ["/files/public/*"] = says("public"),
    ["/*"] = says("rest"),
  },
  POST = { ["/users"] = says("created"), ["/only/post"] = says("post") },
  ["*"] = { ["/any"] = says("any") },
})
for path, body in pairs({
  ["/"] = "root",
  ["/users"] = "users",
  ["/users/7"] = "user",
  ["/users/me"] = "me",
  ["/users/"] = "rest",
  ["/files/a/b"] = "files",
  ["/files/public/x"] = "public",
  ["/elsewhere"] = "rest",
  ["/any"] = "any",
  ["/%75sers"] = "users",
}) do
  assert.eq(http.get(url .. path).body, body, path)
end
assert.eq(http.get(url .. "/files/a/b%20c").headers["x-rest"], "a/b c")
assert.eq(http.get(url .. "/users/a%2Fb/posts/%C3%BC").body, '{"id":"a/b","post":"ü"}')
assert.eq(http.post(url .. "/users").body, "created")
assert.eq(http.delete(url .. "/any").body, "any")
server:cancel()
