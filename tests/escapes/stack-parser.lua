-- An expression that is nested deeper than the parser's stack.
assert(load(("("):rep(100000)) == nil)
assert(load("return " .. ("{"):rep(100000)) == nil)
assert(load(("a."):rep(1000) .. "b=1"))
print("held")
