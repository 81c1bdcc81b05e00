-- PORT [WORKERS]: hello, an echo of JSON, and a row of a table.
global arg, db, http, math, pcall

local routes <const> = {
  GET = { ["/"] = function() return { body = "hello" } end },
  POST = { ["/echo"] = function(req) return { json = req:json() } end },
}
if pcall(function() return db.connect end) then
  local conn <const> = db.connect("sqlite::memory:", { max_connections = 1 })
  conn:execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
  conn:execute("INSERT INTO users (name) VALUES ('ada'), ('brian'), ('edsger')")
  routes.GET["/query"] = function()
    return { json = conn:query("SELECT id, name FROM users WHERE id = ?", { 2 })[1] }
  end
end

local port <const>, workers <const> = math.tointeger(arg[1]) or 0, math.tointeger(arg[2]) or 1
http.serve(port, routes, { host = "127.0.0.1", workers = workers })
