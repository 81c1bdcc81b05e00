-- exit: 1
-- error: base64.decode: argument 1: expected string, got nil
-- error: error-caller-line.lua:10
-- error: base64.decode(key)
global base64

local function decode(key)
  -- A wrong argument is reported at the caller's line, which is here.
  --
  return (base64.decode(key))
end

decode(nil)
