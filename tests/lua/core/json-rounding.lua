-- exit: 1
-- error: json.parse: line 1, column 
-- error: would be rounded
global json

json.parse("[18446744073709551616]")
