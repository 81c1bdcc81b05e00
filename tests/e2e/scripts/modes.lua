-- Starts assay once more, as the test says: ASSAY is the program.
local program, folder = env.get("ASSAY"), fs.tempdir()
local function run(arguments)
  local pipe = io.popen(("cd %s && '%s' %s 2>&1; echo code $?"):format(folder, program, arguments))
  local text = pipe:read("a")
  pipe:close()
  return text
end

fs.write(folder .. "/script.lua", "print(1 + 1, arg[1])")
fs.write(folder .. "/checks.yaml", "checks: [{name: inner, type: script, file: script.lua}]")
fs.write(folder .. "/reads.lua", "print(pcall(function() return io.open('/etc/passwd') end))")
local mode = env.get("MODE")
if mode == "script" then
  assert.eq(run("script.lua x"), "2\tx\ncode 0\n")
elseif mode == "checks" then
  local text = run("checks.yaml")
  assert.contains(text, '{"passed":true,"checks":[{"name":"inner","passed":true,')
  assert.contains(text, "code 0\n")
else
  local text = run("--sandbox reads.lua")
  assert.contains(text, "false\t")
  assert.contains(text, "code 0\n")
  assert.contains(run("--sandbox -e 'os.execute()'"), "code 1\n")
end
fs.remove(folder, { recursive = true })
