-- args: --allow-read=$DIR/allowed
-- A zero byte ends the path for the system, but not for the rule.
assert(not pcall(fs.read, arg[1] .. "/secret\0" .. arg[1] .. "/allowed/file"))
assert(not pcall(fs.read, arg[1] .. "/allowed/../secret\0/file"))
print("held")
