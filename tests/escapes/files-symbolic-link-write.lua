-- args: --allow-write=$DIR/allowed --allow-read=$DIR/allowed
-- Writing through a link that points out of the folder, to what is there and what is not.
for _, name in ipairs({ "relative", "absolute", "dangling", "folder/new", "chain" }) do
  assert(not pcall(fs.write, arg[1] .. "/allowed/" .. name, "changed"), name)
  assert(not pcall(fs.append, arg[1] .. "/allowed/" .. name, "changed"), name)
end
print("held")
