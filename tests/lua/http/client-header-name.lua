-- exit: 1
-- error: http.get: header `X Y`: not a valid name
global http

http.get("http://127.0.0.1:1/", { headers = { ["X Y"] = "1" } })
