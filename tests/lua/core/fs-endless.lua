-- exit: 1
-- error: fs.read: cannot read /dev/zero: it has more than 1000 bytes
-- hint: pass {max_size = BYTES}, or go through fs.lines
global fs

fs.read("/dev/zero", { max_size = 1000 })
