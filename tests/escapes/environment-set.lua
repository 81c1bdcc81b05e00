-- Setting variables that programs and libraries listen to.
pcall(env.set, "LD_PRELOAD", "/x.so")
pcall(env.set, "SSL_CERT_FILE", "/x")
pcall(env.set, "HTTP_PROXY", "http://127.0.0.1:" .. arg[2])
pcall(http.get, "http://example.invalid/")
print("held")
