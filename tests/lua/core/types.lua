-- The stubs and the functions that are there, against each other, both ways.
global _G, arg, assert, fs, ipairs, pairs, table, type

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local types = here .. "/../../../runtime/types/"

local families = 0
for _, entry in ipairs(fs.list(types)) do
  local family = entry.name:match("^(%w+)%.lua$")
  families = families + 1
  local documented, present = {}, {}
  local source = fs.read(types .. entry.name)
  -- What is a table and can be called is declared as a class, whose name begins with a capital.
  for name in source:gmatch("\nfunction (%a[%w_.]*)%(") do
    documented[#documented + 1] = name:gsub("^%u", function(first) return first:lower() end)
  end
  local value = _G[family]
  if type(value) == "function" then
    present[1] = family
  else
    for name, member in pairs(value) do
      if type(member) == "function" then
        present[#present + 1] = family .. "." .. name
      end
    end
    -- `sleep` is nothing but its call.
    if #present == 0 then
      present[1] = family
    end
  end
  table.sort(documented)
  table.sort(present)
  assert.eq(documented, present, family)
end
assert.eq(families, 13)
