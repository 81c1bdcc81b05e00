-- exit: 1
-- error: http.get: header `X-A`: the value holds a line break
global http

http.get("http://127.0.0.1:1/", { headers = { ["X-A"] = "a\r\nX-B: b" } })
