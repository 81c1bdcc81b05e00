-- Routes are checked before anything listens.
global assert, http, ipairs, pcall, tostring

local function handler()
  return {}
end
for _, case in ipairs({
  { { get = { ["/"] = handler } }, "`get` is not a method" },
  { { GET = { ["x"] = handler } }, 'routes.GET["x"]: a path begins with `/`' },
  { { GET = { ["/"] = "x" } }, 'routes.GET["/"]: expected a function, got string' },
  { { GET = handler }, "routes.GET: expected a table, got function" },
  { { GET = { ["/a/*/b"] = handler } }, "`*` is only possible at the end" },
  { { GET = { ["/:a/:a"] = handler } }, "two parameters of the name `a`" },
  { { GET = { ["/x/:a"] = handler, ["/x/{b}"] = handler } }, "another route matches the same paths" },
  { { GET = { ["/x?a=b"] = handler } }, "a path has no query" },
  { "routes", "argument 2: expected a table, got string" },
}) do
  local ok, err = pcall(http.serve, 0, case[1], { host = "127.0.0.1" })
  assert.eq(ok, false, case[2])
  assert.contains(tostring(err), case[2])
end
for _, port in ipairs({ -1, 65536, 1.5, "http" }) do
  local ok, err = pcall(http.serve, port, {})
  assert.eq(ok, false, tostring(port))
  assert.contains(tostring(err), "argument 1")
end
