-- A pattern that takes longer than the universe.
-- ends: ran longer than
string.find(("a"):rep(10000), (".-"):rep(20) .. "b")
