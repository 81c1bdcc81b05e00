-- The same in gsub and gmatch.
-- ends: ran longer than
pcall(string.gsub, ("a"):rep(10000), (".-"):rep(20) .. "b", "")
for _ in string.gmatch(("a"):rep(10000), (".-"):rep(20) .. "b") do end
