global assert, json, tostring

assert.eq(json.parse("null"), nil)
assert.eq(json.parse('{"a": null}'), {})
local kept = json.parse('{"a": null, "b": [null, 1]}', { null = true })
assert.eq(kept.a, json.null)
assert.eq(kept.b[1], json.null)
assert.ne(json.null, nil)
assert.eq(tostring(json.null), "null")
-- Merge patches need nulls that are written.
assert.eq(json.encode({ metadata = { labels = { old = json.null } } }), '{"metadata":{"labels":{"old":null}}}')
assert.eq(json.encode(json.null), "null")
assert.eq(json.encode(nil), "null")
assert.eq(json.encode(kept), '{"a":null,"b":[null,1]}')
