-- A server beside the test: `local url, task = start(routes, opts)`; cancel the task at the end.
global async, http, sleep

return function(routes, opts)
  local address
  opts = opts or {}
  opts.host = "127.0.0.1"
  opts.on_listen = function(a) address = a end
  local task = async.spawn(function() http.serve(0, routes, opts) end)
  while not address do
    sleep(0.001)
  end
  return "http://" .. address, task
end
