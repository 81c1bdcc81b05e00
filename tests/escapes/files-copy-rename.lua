-- args: --allow-write=$DIR/allowed --allow-read=$DIR/allowed
-- Copying and renaming have two ends.
local dir = arg[1]
assert(not pcall(fs.copy, dir .. "/secret", dir .. "/allowed/copy"))
assert(not pcall(fs.rename, dir .. "/secret", dir .. "/allowed/moved"))
assert(not pcall(fs.copy, dir .. "/allowed/file", dir .. "/outside/copy"))
assert(not pcall(fs.rename, dir .. "/allowed/file", dir .. "/outside/moved"))
print("held")
