-- exit: 1
-- error: http.get: argument 2: unknown option `timout`
-- hint: did you mean `timeout`?
global http

http.get("http://127.0.0.1:1/", { timout = 1 })
