-- exit: 1
-- error: yaml.parse: line 3, column 1: the key `a` for a second time
global yaml

yaml.parse("a: 1\nb: 2\na: 3\n")
