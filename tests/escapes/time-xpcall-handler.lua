-- The message handler is where the loop is.
-- ends: ran longer than
xpcall(error, function() while true do end end)
