-- Coroutines in coroutines, each catching.
-- ends: ran longer than
local function nest(depth)
  return coroutine.wrap(function()
    while true do pcall(depth > 0 and nest(depth - 1) or function() while true do end end) end
  end)
end
nest(5)()
