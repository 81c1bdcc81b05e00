-- exit: 1
-- error: json.parse: line 2, column 7: 
global json

json.parse('{\n  "a" 1\n}')
