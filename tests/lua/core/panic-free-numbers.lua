global assert, base64, fs, ipairs, math, pairs, pcall, regex, sleep, time, toml, type, yaml, json, async

-- Any number that crosses into a builtin is validated, whatever it is.
local numbers = { 0 / 0, math.huge, -math.huge, math.maxinteger, math.mininteger, 1e308, -0.0, 2 ^ 53, 0.1, -1 }
local functions = {}
for _, family in ipairs({ base64, fs, regex, time, toml, yaml, json }) do
  for _, fn in pairs(family) do
    if type(fn) == "function" and fn ~= fs.tempdir then
      functions[#functions + 1] = fn
    end
  end
end
assert.gt(#functions, 30)
for _, fn in ipairs(functions) do
  for _, number in ipairs(numbers) do
    local _, err = pcall(fn, number, number, number)
    assert.ne(type(err) == "table" and err.kind, "panic")
    _, err = pcall(fn, "x\0y", number, { number })
    assert.ne(type(err) == "table" and err.kind, "panic")
  end
end
for _, number in ipairs({ 0 / 0, math.huge, -1, 1e308 }) do
  assert.eq(pcall(sleep, number), false)
  assert.eq(pcall(async.spawn_interval, number, function() end), false)
end
