-- exit: 1
-- error: ws.connect: plugin 
-- error: is not installed
-- hint: assay install plugin/ws
global ws

ws.connect("ws://localhost")
