-- exit: 1
-- error: fs.write: the path "/tmp/a\x00b" has a zero byte
global fs

fs.write("/tmp/a\0b", "")
