-- exit: 1
-- error: regex.find: argument 2: pattern "(a{999}){999}": 
global regex

regex.find("a", "(a{999}){999}")
