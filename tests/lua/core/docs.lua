-- The pages in docs/builtins say what the stubs say.
global arg, assert, loadfile

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local generate = here .. "/../../../docs/builtins/generate.lua"
arg[0], arg[1] = generate, "check"
assert(loadfile(generate))()
