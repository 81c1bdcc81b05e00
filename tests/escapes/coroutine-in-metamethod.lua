-- Yielding out of metamethods and iterators.
local co = coroutine.wrap(function()
  local t = setmetatable({}, { __index = function(_, key) return coroutine.yield(key) end })
  return t.x
end)
assert(co() == "x" and co(7) == 7)
print("held")
