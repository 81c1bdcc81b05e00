-- An iterator that never ends.
-- ends: ran longer than
for _ in function() return true end do end
