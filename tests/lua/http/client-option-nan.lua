-- exit: 1
-- error: http.get: option `timeout`: expected seconds above 0
global http

http.get("http://127.0.0.1:1/", { timeout = 0 / 0 })
