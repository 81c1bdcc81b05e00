-- Libraries of others, unchanged, with their own specs: sources that tests/run.sh downloads. The specs are
-- written for busted, of which `assay test` has the greater part; the rest is here. Run by
-- tests/tests/libraries.rs, which counts.
global describe, it, before_all, after_all, finally
global setup, teardown, pending, assert, spy, stub, mock, match
global env, error, getmetatable, ipairs, loadfile, package, pairs, pcall, require, setmetatable, string, tostring, type

local sources <const> = env.get("ASSAY_TEST_LUA") or error("ASSAY_TEST_LUA is not set: tests/run.sh does it")

local SPECS <const> = {
  "inspect.lua-3.1.1/spec/inspect_spec.lua",
  "say-1.4.1/spec/say_spec.lua",
  "luassert-1.9.0/spec/assertions_spec.lua",
  "luassert-1.9.0/spec/formatters_spec.lua",
  "luassert-1.9.0/spec/matchers_spec.lua",
  "luassert-1.9.0/spec/mocks_spec.lua",
  "luassert-1.9.0/spec/output_spec.lua",
  "luassert-1.9.0/spec/spies_spec.lua",
  "luassert-1.9.0/spec/state_spec.lua",
  "luassert-1.9.0/spec/stub_spec.lua",
}

-- What these expect of `error(nil)` was true until Lua 5.4: since 5.5 it raises the text
-- `<no error object>`. With what each fails.
local NIL_ERRORS <const> = {
  ["Checks error_matches compares error strings with pattern"] = "bad argument #1 to 'match'",
  ["Checks assert.has_error returns thrown error on success"] = "<no error object>",
  ["Checks assert.error_matches returns captures of thrown error on success"] = "bad argument #1 to 'match'",
  ["Should compare error strings correctly; nil-string"] = "<no error object>",
}

package.path = string.format("%s/?.lua;%s/?/init.lua;%s/inspect.lua-3.1.1/?.lua", sources, sources, sources)

-- One spec wants this one function of penlight's. Penlight 1.13.1 itself assigns to the variables of `for`
-- loops, which Lua 5.5 does not compile.
package.preload["pl.tablex"] = function()
  local function deepcopy(value)
    if type(value) ~= "table" then
      return value
    end
    local copy = {}
    for key, item in pairs(value) do
      copy[deepcopy(key)] = deepcopy(item)
    end
    return setmetatable(copy, getmetatable(value))
  end
  return { deepcopy = deepcopy }
end

local plain <const> = it
local last_step

setup, teardown, pending = before_all, after_all, plain.skip

---What is to be done when the test is over, however it ends.
function finally(step)
  last_step = step
end

function it(name, body)
  local expected = NIL_ERRORS[name]
  plain(expected and name .. " (differs in Lua 5.5)" or name, function()
    last_step = nil
    local ok, raised = pcall(body)
    if last_step then
      last_step()
    end
    if not expected then
      return ok or error(raised, 0)
    elseif ok then
      error("no longer a difference: take it out of NIL_ERRORS")
    elseif not string.find(tostring(raised), expected, 1, true) then
      error(raised, 0)
    end
  end)
end

assert = require("luassert")
spy, stub, mock, match = require("luassert.spy"), require("luassert.stub"), require("luassert.mock"), require("luassert.match")

for _, spec in ipairs(SPECS) do
  local body, message = loadfile(sources .. "/" .. spec)
  describe(spec, body or error(message))
end
