-- exit: 1
-- error: no connection became free within 0.2 s: 1 in use (1 by db.transaction)
-- hint: in db.transaction, use the connection that its function is given; or raise `max_connections`
global db

local conn = db.connect("sqlite::memory:", { timeout = 0.2 })
conn:transaction(function()
  conn:query("select 1")
end)
