#!/usr/bin/env -S assay --timeout=5
print(arg[0], #arg)
for _, argument in ipairs(arg) do
  print("[" .. argument .. "]")
end
print(select("#", ...))
