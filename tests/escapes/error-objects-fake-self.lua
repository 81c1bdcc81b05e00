-- The methods of an error object, called on anything.
local _, err = pcall(json.parse, "{")
local meta = getmetatable(err)
for _, value in ipairs({ 1, "x", {}, print, coroutine.create(print) }) do
  if type(meta) == "table" and meta.__tostring then pcall(meta.__tostring, value) end
  pcall(tostring, setmetatable({}, type(meta) == "table" and meta or nil))
end
print("held")
