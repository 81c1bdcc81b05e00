-- args: --allow-read=$DIR/allowed
-- Links lead out of a folder, relative and absolute ones, to files and to folders.
for _, name in ipairs({ "relative", "absolute", "folder/secret", "chain", "loop", "dangling" }) do
  assert(not pcall(fs.read, arg[1] .. "/allowed/" .. name), name)
end
print("held")
