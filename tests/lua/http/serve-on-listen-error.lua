-- exit: 1
-- error: no thanks
global error, http

http.serve(0, {}, { host = "127.0.0.1", on_listen = function() error("no thanks") end })
