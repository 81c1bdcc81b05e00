assert.eq(env.get("GIVEN"), nil)
assert.eq(env.get("LEFT"), nil)
assert.eq(rawget(_G, "left"), nil)
