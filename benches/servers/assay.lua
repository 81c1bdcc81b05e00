-- PORT [WORKERS]: hello, an echo of JSON, and a row of a table.
global arg, db, http, pcall, tonumber

local conn
if pcall(function() return db.connect end) then
  conn = db.connect("sqlite::memory:", { max_connections = 1 })
  conn:execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
  conn:execute("INSERT INTO users (name) VALUES ('ada'), ('brian'), ('edsger')")
end

http.serve(tonumber(arg[1]), {
  GET = {
    ["/"] = function() return { body = "hello" } end,
    ["/query"] = function() return { json = conn:query("SELECT id, name FROM users WHERE id = ?", { 2 })[1] } end,
  },
  POST = {
    ["/echo"] = function(req) return { json = req:json() } end,
  },
}, { host = "127.0.0.1", workers = tonumber(arg[2] or "1") })
