-- args: --allow-read=$DIR/allowed
-- Permission to read is none to write.
for _, call in ipairs({ { fs.write, "x" }, { fs.append, "x" }, { fs.remove }, { fs.mkdir } }) do
  assert(not pcall(call[1], arg[1] .. "/allowed/file", call[2]))
end
assert(fs.read(arg[1] .. "/allowed/file") == "harmless")
print("held")
