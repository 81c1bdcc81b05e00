global assert, error, pcall, select, setmetatable, string

-- Lua's own.
local a, b, c = assert(1, "message", 3)
assert.eq(select("#", assert(nil == nil, 1, nil)), 3)
assert.eq({ a, b, c }, { 1, "message", 3 })
local ok, err = pcall(assert, false)
assert.eq(err, "assertion failed!")
ok, err = pcall(assert, nil, "as it is")
assert.eq(err, "as it is")
local thrown = {}
ok, err = pcall(assert, false, thrown)
assert.eq(err == thrown, true)

-- Comparisons that hold.
assert.eq({ a = { 1, { b = "x" } } }, { a = { 1, { b = "x" } } })
assert.eq(1, 1.0)
assert.eq(nil, nil)
assert.ne({ 1 }, { 1, 2 })
assert.ne({ 1, 2 }, { 1 })
assert.ne("1", 1)
assert.ne(0 / 0, 0 / 0)
assert.gt(2, 1)
assert.gt("b", "a")
assert.lt(1, 2.5)
assert.contains("a.b", ".")
assert.contains("a\0b", "\0")
assert.not_nil(false)
assert.matches("abc123", "%d+$")
assert.raises(function() error("boom") end)
assert.raises(function() error("boom") end, "^.*: boom$")
assert.eq(assert.raises(function() error(thrown) end) == thrown, true)

-- Comparisons that do not.
local function fails(text, fn, ...)
  local good, failure = pcall(fn, ...)
  assert(not good, text)
  assert(failure.kind == "assertion", failure.kind)
  assert(string.find(failure.message, text, 1, true), failure.message)
end
fails("1", assert.eq, 1, 2)
fails("2", assert.eq, 1, 2)
fails('{a = {1, "x"}}', assert.eq, { a = { 1, "x" } }, { a = { 1, "y" } })
fails("a.2", assert.eq, { a = { 1, "x" } }, { a = { 1, "y" } })
fails("mine", assert.eq, 1, 2, "mine")
fails("1", assert.ne, 1, 1)
fails("expected 1 to be greater than 2", assert.gt, 1, 2)
fails("expected 2 to be less than 1", assert.lt, 2, 1)
fails('expected "abc" to contain "d"', assert.contains, "abc", "d")
fails("got nil", assert.not_nil, nil)
fails('expected "abc" to match the pattern "^b"', assert.matches, "abc", "^b")
fails("got none", assert.raises, function() end)
fails("boom", assert.raises, function() error("boom") end, "other")

-- Tables that contain themselves end with an error.
local one, two = {}, {}
one.x, two.x = one, two
assert.eq(pcall(assert.eq, one, two), false)

-- What cannot be called raises nothing: the test itself is wrong.
ok, err = pcall(assert.raises, nil)
assert.eq(err.message, "assert.raises: argument 1: expected function, got nil")
ok, err = pcall(assert.raises)
assert.eq(err.message, "assert.raises: argument 1: expected function, got nothing")
assert.raises(setmetatable({}, { __call = function() error("called") end }), "called")
ok, err = pcall(assert)
assert.eq(err, "bad argument #1 to 'assert' (value expected)")

-- Comparing what has no order is a wrong argument.
ok, err = pcall(assert.gt, 1, "x")
assert.eq(err.kind, "argument")
