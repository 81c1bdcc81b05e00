-- args: --allow-env=ESCAPE
-- One name is allowed, and another begins like it.
assert(env.get("ESCAPE") == nil)
assert(not pcall(env.get, "ESCAPE_SECRET"))
assert(not pcall(env.get, "ESCAPE\0_SECRET"))
print("held")
