-- exit: 1
-- error: fs.remove: argument 2: unknown option `recursiv`
-- hint: did you mean `recursive`?
global fs

fs.remove("/nonexistent", { recursiv = true })
