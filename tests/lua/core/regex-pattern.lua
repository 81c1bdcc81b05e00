-- exit: 1
-- error: regex.match: argument 2: pattern "(a": 
global regex

regex.match("a", "(a")
