-- args: --output-limit=10KB
-- Printing without an end.
-- ends: the script may write 10KB
while true do print(("x"):rep(1000)) end
