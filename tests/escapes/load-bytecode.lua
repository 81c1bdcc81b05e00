-- Bytecode that was tampered with reads and writes any memory.
for _, mode in ipairs({ "b", "bt", "tb" }) do
  local ok, made = pcall(load, "\27LuaU\0\25\147", "=x", mode)
  assert(not ok or made == nil, mode)
end
assert(load("\27LuaU\0\25\147") == nil)
print("held")
