-- trusted
-- args: --allow-read=$DIR/allowed --allow-write=$DIR/allowed
-- A script with permissions has Lua's io, which asks too.
local dir = arg[1]
assert(io.open(dir .. "/allowed/file"):read("a") == "harmless")
for _, mode in ipairs({ "r", "rb", "r+", "w", "a", "w+" }) do
  assert(not pcall(io.open, dir .. "/secret", mode), mode)
  assert(not pcall(io.open, dir .. "/allowed/relative", mode), mode)
end
assert(not pcall(io.lines, dir .. "/secret"))
assert(not pcall(io.input, dir .. "/secret"))
assert(not pcall(io.output, dir .. "/outside/x"))
assert(not pcall(os.remove, dir .. "/secret"))
assert(not pcall(os.rename, dir .. "/secret", dir .. "/allowed/x"))
assert(not pcall(os.rename, dir .. "/allowed/file", dir .. "/outside/x"))
assert(not pcall(dofile, dir .. "/secret"))
assert(not pcall(loadfile, dir .. "/secret"))
print("held")
