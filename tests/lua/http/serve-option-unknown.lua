-- exit: 1
-- error: http.serve: argument 3: unknown option `max_boddy`
-- hint: did you mean `max_body`?
global http

http.serve(0, {}, { max_boddy = 1 })
