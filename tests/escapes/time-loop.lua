-- Nothing but a loop.
-- ends: ran longer than
while true do end
