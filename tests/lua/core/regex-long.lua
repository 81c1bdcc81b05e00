-- exit: 1
-- error: xxx"...: found open group
global assert, error, pcall, regex

local ok, err = pcall(regex.match, "a", "(" .. ("x"):rep(1000000))
assert.lt(#err.message, 400)
error(err)
