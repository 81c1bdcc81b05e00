-- A mode that is no string must not be taken for one.
for _, mode in ipairs({ {}, true, 1, setmetatable({}, { __tostring = function() return "b" end }) }) do
  local ok, made = pcall(load, "\27Lua", "=x", mode)
  assert(not ok or made == nil)
end
print("held")
