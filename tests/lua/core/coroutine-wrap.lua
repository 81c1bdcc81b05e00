-- Errors out of `coroutine.wrap` are Lua's own.
global assert, coroutine, error, pcall, setmetatable

local function fails(expected, fn)
  local ok, err = pcall(coroutine.wrap(fn))
  assert.eq({ ok, err }, { false, expected })
end
local function closing()
  return setmetatable({}, { __close = function(_, err) error("after " .. err, 0) end })
end

fails("coroutine-wrap.lua", function() error("coroutine-wrap.lua", 0) end)
-- The last error of several: closing may raise another one.
fails("after first", function()
  local _ <close> = closing()
  error("first", 0)
end)
local value = { code = 42 }
fails(value, function() error(value) end)

local own
own = coroutine.wrap(function() return own() end)
local ok, err = pcall(own)
assert.matches(err, "cannot resume non%-suspended coroutine$")
ok, err = pcall(own)
assert.eq(err, "cannot resume dead coroutine")

-- The caller's place goes before a text.
local function call() coroutine.wrap(function() error("deep") end)() end
ok, err = pcall(call)
assert.matches(err, "^.*wrap%.lua:29: .*wrap%.lua:29: deep$")
