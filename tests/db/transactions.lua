-- Transactions of a server: what it says of them, and what it does when the script goes away.
global db, env, assert, async, error, ipairs, pcall, rawequal, sleep

local is_postgres = env.get("DB_KIND") == "postgresql"
local options = { tls = { ca_cert = env.get("DB_CA") }, max_connections = 2, timeout = 20 }
local conn = db.connect(env.get("DB_URL"), options)
-- Its transactions leave no second connection.
local narrow = db.connect(env.get("DB_URL"), { tls = options.tls, max_connections = 1, timeout = 20 })

local INSERT = is_postgres and "insert into parent values ($1)" or "insert into parent values (?)"
local SLEEP = is_postgres and "select pg_sleep(60)" or "select sleep(60)"
local MANY = is_postgres and "select i from generate_series(1, 1000000) as i" or "select seq as i from seq_1_to_1000000"

conn:execute("drop table if exists parent")
conn:execute("create table parent (id integer primary key)")

local function parents()
  local out = {}
  for _, row in ipairs(conn:query("select id from parent order by id")) do
    out[#out + 1] = row.id
  end
  return out
end

-- Commit, and what is raised as it was.
assert.eq(conn:transaction(function(tx)
  tx:execute(INSERT, { 1 })
  -- Another connection does not see it yet.
  assert.eq(parents(), {})
  return "done"
end), "done")
assert.eq(parents(), { 1 })
local thrown = { code = 42 }
local ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("delete from parent")
  error(thrown)
end)
assert.eq(ok, false)
assert.eq(rawequal(err, thrown), true)
assert.eq(parents(), { 1 })
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute(INSERT, { 2 })
  tx:execute(INSERT, { 1 })
end)
assert.eq(ok, false)
assert.eq(err.kind, "unique")
assert.eq(err.sqlstate, is_postgres and "23505" or "23000")
assert.eq(parents(), { 1 })

-- A savepoint takes back what failed, and no more.
conn:transaction(function(tx)
  tx:execute(INSERT, { 2 })
  local fine, why = pcall(tx.transaction, tx, function(inner)
    inner:execute(INSERT, { 3 })
    inner:execute(INSERT, { 1 })
  end)
  assert.eq(fine, false)
  assert.eq(why.kind, "unique")
  tx:transaction(function(inner)
    inner:execute(INSERT, { 4 })
  end)
end)
assert.eq(parents(), { 1, 2, 4 })

-- Without one an error that is caught ends PostgreSQL's transaction: the commit says so. MariaDB's goes on.
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute(INSERT, { 5 })
  pcall(tx.execute, tx, INSERT, { 1 })
end)
assert.eq(ok, not is_postgres)
if is_postgres then
  assert.eq(err.kind, "transaction")
  assert.contains(err.message, "a statement in it failed")
  assert.contains(err.hint, "tx:transaction")
end
conn:execute("delete from parent where id = 5")
assert.eq(parents(), { 1, 2, 4 })

-- Cancelled: between two statements, and in the middle of one. The only connection is there again.
for _, wait in ipairs({
  function()
    sleep(60)
  end,
  function(tx)
    tx:query(SLEEP)
  end,
}) do
  ok, err = pcall(async.timeout, 0.3, function()
    narrow:transaction(function(tx)
      tx:execute("delete from parent")
      wait(tx)
    end)
  end)
  assert.eq(ok, false)
  assert.eq(err.kind, "timeout")
  assert.eq(#narrow:query("select id from parent"), 3)
end
-- A statement that takes too long.
ok, err = pcall(narrow.transaction, narrow, function(tx)
  tx:execute("delete from parent")
  tx:query(SLEEP, {}, { timeout = 0.3 })
end)
assert.eq(ok, false)
assert.eq(err.kind, "timeout")
assert.eq(#narrow:query("select id from parent"), 3)

-- Loops: closed, the connection is there for the next statement; left open, they end with the transaction.
local kept
narrow:transaction(function(tx)
  for _ = 1, 3 do
    local rows = tx:each(MANY)
    assert.eq(rows().i, 1)
    rows:close()
  end
  tx:execute(INSERT, { 5 })
  tx:transaction(function(inner)
    kept = inner:each(MANY)
  end)
  tx:execute(INSERT, { 6 })
  kept = tx:each(MANY)
end)
assert.eq(parents(), { 1, 2, 4, 5, 6 })
local count = 0
ok, err = pcall(function()
  for _ in kept do
    count = count + 1
  end
end)
assert.eq(ok, false)
assert.eq(err.kind, "transaction")
assert.eq(count < 1000000, true)

-- The wrong connection inside of one.
local short = db.connect(env.get("DB_URL"), { tls = options.tls, max_connections = 1, timeout = 2 })
ok, err = pcall(short.transaction, short, function()
  short:query("select 1")
end)
assert.eq(ok, false)
assert.eq(err.kind, "pool")
assert.contains(err.message, "1 in use (1 by db.transaction)")
short:close()

-- Two that wait for each other: one of them is told to run again.
local ready = 0
local function update(first, second)
  return function()
    return pcall(conn.transaction, conn, function(tx)
      tx:execute("update parent set id = id where id = " .. first)
      ready = ready + 1
      while ready < 2 do
        sleep(0.01)
      end
      tx:execute("delete from parent where id = " .. second)
    end)
  end
end
local lost = {}
async.all({
  function()
    local fine, why = update(1, 2)()
    lost[#lost + 1] = not fine and why or nil
  end,
  function()
    local fine, why = update(2, 1)()
    lost[#lost + 1] = not fine and why or nil
  end,
})
assert.eq(#lost, 1)
assert.eq(lost[1].kind, "serialization")
assert.eq(#parents(), 4)

narrow:close()
conn:close()
