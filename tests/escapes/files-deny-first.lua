-- args: --allow-read=$DIR --deny-read=$DIR/secret
-- What is denied stays denied in what is allowed, by any name.
assert(not pcall(fs.read, arg[1] .. "/secret"))
assert(not pcall(fs.read, arg[1] .. "/allowed/relative"))
assert(not pcall(fs.read, arg[1] .. "/./secret"))
print("held")
