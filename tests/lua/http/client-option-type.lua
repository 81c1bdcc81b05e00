-- exit: 1
-- error: http.post: argument 3: option `timeout`: expected a number, got string "soon"
global http

http.post("http://127.0.0.1:1/", "body", { timeout = "soon" })
