-- exit: 1
-- error: yaml.parse: line 2, column 5: 
global yaml

yaml.parse("a: 1\nb: c: d\n")
