-- _G is another way to the same table.
for _, name in ipairs({ "io", "debug", "package", "require", "dofile", "loadfile", "fs", "async" }) do
  assert(_G[name] == nil and rawget(_G, name) == nil, name)
end
assert(_G._G == _G)
print("held")
