-- exit: 1
-- error: json.encode: a string that is not UTF-8 at data.key
-- hint: base64.encode
global json

json.encode({ data = { key = "\xff\xfe" } })
