assert.eq(env.get("GIVEN"), "by the file")
assert.eq(env.get("PATH"), "hidden")
assert.eq(os.getenv("GIVEN"), "by the file")
assert.eq(env.list().GIVEN, "by the file")
env.set("LEFT", "behind")
_G.left = "behind"
