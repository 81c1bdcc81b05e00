-- Renders one case of this folder: `assay render.lua CASE`.
global arg, fs, io, json, pairs, template

local case, name = {}, nil
for line in (fs.read(arg[1]):gsub("\n$", "") .. "\n"):gmatch("(.-)\n") do
  local header = line:match("^=== (.*)$")
  if header then
    name = header
  elseif name then
    case[name] = case[name] and case[name] .. "\n" .. line or line
  end
end
local folder = fs.tempdir()
for section, text in pairs(case) do
  local file = section == "template" and section or section:match("^file (.*)$")
  if file then
    fs.write(folder .. "/" .. file, text)
  end
end
io.write(template.render(folder .. "/template", json.parse(case.vars or "{}", { null = true })))
fs.remove(folder, { recursive = true })
