-- exit: 1
-- error: json.encode: argument 2: unknown option `prety`
-- hint: did you mean `pretty`?
global json

json.encode({}, { prety = true })
