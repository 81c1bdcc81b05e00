-- args: --instruction-limit=200000
-- Instructions are counted through pcall.
-- ends: instructions
while true do pcall(error) end
