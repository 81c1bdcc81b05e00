-- args: --allow-read=$DIR/allowed
-- A folder whose name begins like the one that is allowed.
assert(not pcall(fs.read, arg[1] .. "/allowed-not/secret"))
print("held")
