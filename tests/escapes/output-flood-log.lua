-- args: --output-limit=10KB
-- Log lines count too, and never fail the script.
for _ = 1, 20000 do log.info(("x"):rep(1000)) end
print("held")
