global assert, json, math

-- Integers are exact.
local parsed = json.parse('{"int": 9223372036854775807, "min": -9223372036854775808, "float": 1.0, "exp": 1e3}')
assert.eq(parsed.int, math.maxinteger)
assert.eq(parsed.min, math.mininteger)
assert.eq(math.type(parsed.int), "integer")
assert.eq(math.type(parsed.float), "float")
assert.eq(math.type(parsed.exp), "float")
assert.eq(json.encode(math.maxinteger), "9223372036854775807")
assert.eq(json.encode(1.0), "1.0")

-- Sorted, so the same always.
assert.eq(json.encode({ b = 1, a = { true, false, "x" } }), '{"a":[true,false,"x"],"b":1}')
assert.eq(json.encode({ a = { 1, 2 }, b = {} }, { pretty = true }), '{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}')

-- Text.
assert.eq(json.parse([["\u00e9\ud83e\udd80\n\/\""]]), "é🦀\n/\"")
assert.eq(json.encode("a\"\\\n\t\0\x1f/é"), [["a\"\\\n\t\u0000\u001f/é"]])
assert.eq(json.parse(" \t\r\n1 "), 1)
assert.eq(json.parse('"a\\u0000b"'), "a\0b")

-- The last of two keys wins.
assert.eq(json.parse('{"a": 1, "a": 2}').a, 2)
