-- Catching the lack of memory and going on.
for _ = 1, 20 do pcall(function() local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end end) end
print("held")
