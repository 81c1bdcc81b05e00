local value = json.parse('{"a": [1, 2.5, "x"], "n": null, "o": {}, "l": []}', { null = true })
assert.eq(value.a, { 1, 2.5, "x" })
assert.eq(json.encode(value), '{"a":[1,2.5,"x"],"l":[],"n":null,"o":{}}')
assert.raises(function() json.parse("{") end, "json.parse")
