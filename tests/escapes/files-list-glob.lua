-- args: --allow-read=$DIR/allowed
-- Listing and matching show names that may not be read.
assert(not pcall(fs.list, arg[1]))
local ok, found = pcall(fs.glob, arg[1] .. "/allowed/../*")
assert(not ok or #found == 0)
assert(not pcall(fs.stat, arg[1] .. "/secret"))
print("held")
