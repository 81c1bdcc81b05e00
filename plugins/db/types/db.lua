---@meta db

---SQL databases: PostgreSQL, MySQL, MariaDB, SQLite.
---
---What fails raises. Kinds while connecting: `dns`, `connect`, `tls`, `auth`, `protocol`, `timeout`. Of
---statements: `unique`, `foreign_key`, `not_null`, `check`, `exclusion`, `serialization` (run the
---transaction again), `busy`, `timeout`, `sql` for all else that a server says, `connection` (it was
---lost), `pool` (none is free), `transaction`, `closed`; `permission` and `argument` as everywhere.
---@class db
---@field null lightuserdata SQL's NULL, as a parameter and, where asked for, in rows; the same value as `json.null`
db = {}

---An error, with what the server said of it.
---@class (exact) db.Error
---@field kind string see `db`
---@field message string with the SQLSTATE, and where in the statement it is
---@field hint? string
---@field sqlstate? string five characters; not SQLite
---@field code? integer MySQL's, MariaDB's, SQLite's (extended) number
---@field constraint? string PostgreSQL only, as are the next ones
---@field schema? string
---@field table? string
---@field column? string
---@field position? integer the character of the statement that is meant, from 1

---@alias db.TlsMode
---| "disable" # never
---| "prefer" # if the server can, whoever it is
---| "require" # or fail, whoever the server is
---| "verify-ca" # and the server's certificate is from a CA that is trusted
---| "verify-full" # and it is for the host that was connected to

---@class (exact) db.Tls
---@field mode? db.TlsMode default `verify-full` with `ca_cert`, else `prefer`
---@field ca_cert? string PEM text, or the path of a file: trusted beside the platform's
---@field client_cert? string PEM text, or the path of a file; needs `client_key`
---@field client_key? string PEM text, or the path of a file

---@class (exact) db.Options
---@field max_connections? integer default 10; SQLite 4, and in memory always 1
---@field timeout? number seconds for getting a connection, and then for each statement; default 30
---@field tls? db.TlsMode|boolean|db.Tls instead of what the URL says; true is `verify-full`

---@class (exact) db.StatementOptions
---@field timeout? number seconds for this statement instead of the connection's
---@field null? boolean keep NULL in rows as `db.null`, instead of leaving the column out; default false

---@class (exact) db.Result
---@field rows_affected integer
---@field last_insert_id? integer|string MySQL, MariaDB and SQLite, after an INSERT; a string beyond 2^63 - 1

---A database to run statements on: one from `db.connect`, or a transaction. Also with `<close>`.
---@class db.Connection
local Connection = {}

---As `db.query`. Waits for the rows.
---@param sql string
---@param params? any[]
---@param opts? db.StatementOptions
---@return table<string, any>[]
function Connection:query(sql, params, opts) end

---As `db.execute`. Waits for its end.
---@param sql string
---@param params? any[]
---@param opts? db.StatementOptions
---@return db.Result
function Connection:execute(sql, params, opts) end

---As `db.each`. Waits for the first row.
---@param sql string
---@param params? any[]
---@param opts? db.StatementOptions
---@return db.Rows
function Connection:each(sql, params, opts) end

---As `db.transaction`. Waits for the function, and for the commit.
---@param fn fun(tx: db.Connection): any
---@return any
function Connection:transaction(fn) end

---As `db.close`. Waits for statements that are running.
function Connection:close() end

---Rows that are read as they come: `for row in conn:each(sql) do`. Holds a connection until the last
---row, or `close`; a loop that may be left early wants `local rows <close> = conn:each(sql)`.
---@class db.Rows
---@overload fun(): table<string, any>?
local Rows = {}

---Stops the statement and frees its connection; waits for a row that is being read. Not needed after the
---last row. Also with `<close>`.
function Rows:close() end

---Connects, and keeps up to `max_connections` connections for the statements to come. Waits for the
---first one.
---
---URLs: `postgres://user:password@host:5432/database`, `postgresql://`, `mysql://`, `mariadb://`,
---`sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:`.
---@param url string
---@param opts? db.Options
---@return db.Connection
function db.connect(url, opts) end

---Runs a statement and returns its rows. Waits for all of them. Placeholders are the server's: `$1` for
---PostgreSQL, `?` for MySQL, MariaDB and SQLite.
---@param conn db.Connection
---@param sql string
---@param params? any[] one for each placeholder; `db.null` for NULL
---@param opts? db.StatementOptions
---@return table<string, any>[]
function db.query(conn, sql, params, opts) end

---Runs a statement, or without parameters several, and says what changed. Waits for its end.
---@param conn db.Connection
---@param sql string
---@param params? any[]
---@param opts? db.StatementOptions
---@return db.Result
function db.execute(conn, sql, params, opts) end

---Runs a statement and returns its rows one by one, as the loop asks for them. Waits for the first row.
---@param conn db.Connection
---@param sql string
---@param params? any[]
---@param opts? db.StatementOptions
---@return db.Rows
function db.each(conn, sql, params, opts) end

---Calls a function in a transaction: commits when it returns, rolls back when it raises or is
---cancelled. Inside another transaction this is a savepoint. Waits for the function, and for the commit.
---Returns the function's first result, of a table a copy.
---@param conn db.Connection
---@param fn fun(tx: db.Connection): any
---@return any
function db.transaction(conn, fn) end

---Closes the connections. Waits for statements that are running, at most for `timeout`.
---@param conn db.Connection
function db.close(conn) end
