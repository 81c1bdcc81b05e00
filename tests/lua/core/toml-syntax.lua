-- exit: 1
-- error: toml.parse: line 2, column 5: 
global toml

toml.parse("a = 1\nb = \n")
