-- The metatable of a plugin's object, and its methods on something else.
local client = http.client()
local meta = getmetatable(client)
if type(meta) == "table" then
  for _, value in next, meta do
    if type(value) == "function" then
      for _, self in ipairs({ 1, "x", {}, print }) do pcall(value, self, "get") end
    end
  end
end
for _, self in ipairs({ 1, "x", {}, print, coroutine.create(print) }) do
  local ok = pcall(client.get, self, "http://example.invalid/")
  assert(not ok)
end
print("held")
