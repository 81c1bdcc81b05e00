-- exit: 1
-- error: syntax-error.lua:5:
global print

print("a" + )
