-- args: --allow-write=$DIR/allowed
-- Permission to write is none to read.
assert(not pcall(fs.read, arg[1] .. "/allowed/file"))
print("held")
