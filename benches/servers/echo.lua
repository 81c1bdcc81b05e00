-- For wrk: posts a JSON of the size that APIs exchange.
---@diagnostic disable: undefined-global
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[{"kind":"Job","metadata":{"name":"backup-28391","namespace":"prod","labels":{"app":"backup","tier":"db"}},
"spec":{"parallelism":1,"completions":3,"suspend":false,"args":["--from","postgres","--to","s3","--level",6]},
"status":{"active":0,"succeeded":3,"ratio":0.75,"message":"all of them ended without an error"}}]]
