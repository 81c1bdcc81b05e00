local order = {}
local first = async.spawn(function()
  sleep(0.001)
  table.insert(order, "first")
  return 1
end)
table.insert(order, "main")
assert.eq(first:await(), 1)
assert.eq(order, { "main", "first" })
