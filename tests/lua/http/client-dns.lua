-- exit: 1
-- error: http.get: dns:
global http

http.get("http://no-such-host.invalid/")
