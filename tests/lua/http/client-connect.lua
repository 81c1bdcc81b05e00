-- exit: 1
-- error: http.get: connect: connection refused (http://127.0.0.1:1/)
global http

http.get("http://127.0.0.1:1/")
