local key
local text = "a"
local function decode()
  return (base64.decode(key))
end
decode()
