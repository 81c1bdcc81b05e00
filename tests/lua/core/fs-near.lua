-- exit: 1
-- error: /config.yml: no such file or directory
-- hint: did you mean 
-- hint: /config.yaml?
global fs

local dir = fs.tempdir()
fs.write(dir .. "/config.yaml", "")
fs.read(dir .. "/config.yml")
