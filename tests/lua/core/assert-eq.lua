-- exit: 1
-- error: assert.eq: 
-- error: 404
-- error: 200
-- error: assert-eq.lua:7
global assert
assert.eq(404, 200)
