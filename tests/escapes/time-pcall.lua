-- A loop around pcall catches whatever is raised to stop it.
-- ends: ran longer than
while true do pcall(function() while true do end end) end
