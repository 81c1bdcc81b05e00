-- Errors of builtins are objects; what hangs on them must be plain data.
local ok, err = pcall(json.parse, "{")
assert(not ok and type(tostring(err)) == "string")
local meta = getmetatable(err)
if type(meta) == "table" then
  for key, value in next, meta do
    if type(value) == "function" then pcall(value) pcall(value, {}) pcall(value, 1, 2, 3) pcall(value, "x", "y") end
  end
end
print("held")
