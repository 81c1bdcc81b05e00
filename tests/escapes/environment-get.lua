-- The environment holds secrets.
assert(not pcall(env.get, "ESCAPE_SECRET"))
assert(not pcall(os.getenv, "ESCAPE_SECRET"))
assert(next(env.list()) == nil)
print("held")
