-- exit: 1
-- error: fs.remove: cannot remove /tmp/..: that is the root of the file system
global fs

fs.remove("/tmp/..", { recursive = true })
