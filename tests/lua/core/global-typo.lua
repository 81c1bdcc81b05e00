-- exit: 1
-- error: global-typo.lua:5:
global print

prnt("a")
