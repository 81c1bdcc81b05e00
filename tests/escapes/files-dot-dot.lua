-- args: --allow-read=$DIR/allowed
-- `..` leads out of a folder.
local dir = arg[1]
assert(fs.read(dir .. "/allowed/file") == "harmless")
for _, path in ipairs({ "/allowed/../secret", "/allowed/x/../../secret", "/allowed/./../secret", "/allowed//../secret",
  "/allowed/../allowed/../secret", "/secret", "/allowed/../../../../../../../../etc/passwd" }) do
  assert(not pcall(fs.read, dir .. path), path)
end
print("held")
