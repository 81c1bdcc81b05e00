global assert, json

assert.eq(json.encode({}), "{}")
assert.eq(json.encode(json.array()), "[]")
assert.eq(json.encode(json.array({})), "[]")
assert.eq(json.encode(json.object()), "{}")
assert.eq(json.encode(json.object({ "a" })), '{"1":"a"}')
assert.eq(json.encode({ "a" }), '["a"]')

-- What was parsed goes back as it came.
local text = '{"a":[],"b":{},"c":[[],{}],"d":[1]}'
assert.eq(json.encode(json.parse(text)), text)

-- Marked, and filled later.
local list = json.array()
list[1] = "x"
assert.eq(json.encode({ list = list }), '{"list":["x"]}')

-- A table with holes is no list, whatever `#` says: nothing of it is lost.
assert.eq(json.encode({ nil, "a", nil, "b", nil }), '{"2":"a","4":"b"}')
