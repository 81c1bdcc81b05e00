-- Strings are read and written eight bytes at a time: every length, with what is special at every place.
global assert, ipairs, json, pcall

for length = 0, 40 do
  local plain = ("x"):rep(length)
  for _, special in ipairs({ "", '"', "\\", "\n", "\0", "\x1f", "\x20", "\x7f", "é", "🦀" }) do
    for at = 0, length do
      local text = plain:sub(1, at) .. special .. plain:sub(at + 1)
      local encoded = json.encode(text)
      assert.eq(json.parse(encoded), text)
      assert.eq(json.parse("[" .. encoded .. "]")[1], text)
      assert.eq(json.encode({ [text] = 1 }), "{" .. encoded .. ":1}")
    end
  end
  for at = 0, length do
    local broken = plain:sub(1, at) .. "\xff" .. plain:sub(at + 1)
    assert.eq(pcall(json.encode, broken), false)
    assert.eq(pcall(json.parse, '"' .. broken .. '"'), false)
    assert.eq(pcall(json.parse, '"' .. plain:sub(1, at) .. "\x01" .. plain:sub(at + 1) .. '"'), false)
    assert.eq(pcall(json.parse, '"' .. plain:sub(1, at)), false)
  end
end

-- More members and items than are held at once, and names that come again in a large text.
for _, count in ipairs({ 1, 15, 16, 17, 24, 25, 31, 32, 33, 63, 64, 65, 128, 129, 1000, 5000 }) do
  local object, list = {}, {}
  for i = 1, count do
    object["name" .. i] = i
    list[i] = { name = i, other = { "name", i }, [""] = "n" .. i }
  end
  local text = json.encode(object)
  assert.eq(json.parse(text), object)
  assert.eq(json.encode(json.parse(text)), text)
  text = json.encode(list)
  assert.eq(json.parse(text), list)
  assert.eq(json.encode(json.parse(text)), text)
end

-- Sorted by bytes, whatever their length; the order does not depend on how many there are.
assert.eq(
  json.encode({ b = 1, a = 2, ab = 3, ["a\0"] = 4, [""] = 5, aaaaaaaa = 6, aaaaaaaab = 7, aaaaaaaaa = 8, ["é"] = 9, Z = 10 }),
  '{"":5,"Z":10,"a":2,"a\\u0000":4,"aaaaaaaa":6,"aaaaaaaaa":8,"aaaaaaaab":7,"ab":3,"b":1,"é":9}'
)
