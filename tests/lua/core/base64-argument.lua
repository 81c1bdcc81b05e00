-- exit: 1
-- error: base64.encode: argument 1: expected string, got table
-- error: base64-argument.lua:6
global base64

base64.encode({})
