-- Something that is reachable from the globals leads to what was taken away.
local seen, bad = {}, { execute = true, popen = true, loadlib = true, getregistry = true, dump = true, openlibs = true }
local function walk(value)
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for key, inner in next, value do
    assert(not bad[key], key)
    walk(key)
    walk(inner)
  end
  walk(getmetatable(value))
end
walk(_G)
walk(getmetatable(""))
print("held")
