global assert, math, time

assert.gt(time(), 1.7e9)
assert.eq(math.type(time()), "float")
assert.lt(math.abs(time() - time.now()), 5)
assert.eq(time.rfc3339(0), "1970-01-01T00:00:00Z")
assert.eq(time.rfc3339(1.5, { digits = 3 }), "1970-01-01T00:00:01.500Z")
assert.eq(time.rfc3339(0, { offset = "-01:30" }), "1969-12-31T22:30:00-01:30")
assert.matches(time.rfc3339(), "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$")
assert.eq(time.parse("2026-11-22T01:05:00Z"), 1795309500.0)
assert.eq(time.parse("1970-01-01T01:00:00.25+01:00"), 0.25)
assert.lt(math.abs(time.parse(time.rfc3339()) - time()), 5)
