-- trusted
-- args: --deny-net=*
-- A program has permissions of its own.
assert(not pcall(os.execute, "cat " .. arg[1] .. "/secret"))
assert(not pcall(io.popen, "cat " .. arg[1] .. "/secret"))
print("held")
