-- exit: 1
-- error: fs.read: cannot read /nonexistent/file: no such file or directory
-- error: fs-missing.lua:6
global fs

fs.read("/nonexistent/file")
