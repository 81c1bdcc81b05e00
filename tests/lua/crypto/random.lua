global assert, crypto

assert.eq(#crypto.random(), 32)
assert.matches(crypto.random(100), "^%w+$")
assert.ne(crypto.random(), crypto.random())
assert.eq(#crypto.random_bytes(1000), 1000)
assert.matches(crypto.uuid(), "^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$")
assert.eq(#crypto.uuid(), 36)
assert.eq(crypto.equals("a\0b", "a\0b"), true)
assert.eq(crypto.equals("a\0b", "a\0c"), false)
assert.eq(crypto.equals("", "a"), false)
