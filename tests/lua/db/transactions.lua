-- How transactions end: by what their function returns, raises, or does not live to do.
global db, assert, async, error, pcall, setmetatable, sleep, rawequal, tostring, fs

local conn = db.connect("sqlite::memory:", { timeout = 5 })
conn:execute("pragma foreign_keys = on")
conn:execute("create table parent (id integer primary key)")
conn:execute("create table child (parent integer references parent (id) deferrable initially deferred)")

local function parents()
  return conn:query("select group_concat(id, ' ') as ids from (select id from parent order by id)")[1].ids
end

-- The function's first result comes back, whatever it is.
assert.eq(conn:transaction(function() end), nil)
assert.eq(conn:transaction(function()
  return false, "not this one"
end), false)
assert.eq(conn:transaction(function()
  return db.null
end), db.null)
assert.eq(conn:transaction(function()
  return function()
    return 5
  end
end)(), 5)
assert.eq(conn:transaction(function()
  return { id = 1, tags = { "a" } }
end), { id = 1, tags = { "a" } })

-- What is raised comes back as it was: a string, nothing, a table of its class, the error of a statement.
local Stop = setmetatable({}, {
  __tostring = function()
    return "stop"
  end,
})
local function fails(raise)
  local ok, err = pcall(conn.transaction, conn, function(tx)
    tx:execute("insert into parent values (1)")
    raise(tx)
  end)
  assert.eq(ok, false)
  assert.eq(parents(), nil)
  return err
end
assert.eq(fails(function()
  error("text", 0)
end), "text")
local raised = fails(function()
  error(Stop)
end)
assert.eq(rawequal(raised, Stop), true)
assert.eq(tostring(raised), "stop")
local err = fails(function(tx)
  tx:execute("insert into parent values (1)")
end)
assert.eq(err.kind, "unique")
-- From a savepoint out of both.
raised = fails(function(tx)
  tx:transaction(function(inner)
    inner:execute("insert into parent values (2)")
    error(Stop)
  end)
end)
assert.eq(rawequal(raised, Stop), true)

-- SQLite's statements fail alone: who catches the error may go on.
conn:transaction(function(tx)
  tx:execute("insert into parent values (1)")
  local ok = pcall(tx.execute, tx, "insert into parent values (1)")
  assert.eq(ok, false)
  tx:execute("insert into parent values (2)")
end)
assert.eq(parents(), "1 2")

-- Savepoints in savepoints, and what is done in one shows in the others.
conn:transaction(function(one)
  one:execute("insert into parent values (10)")
  one:transaction(function(two)
    two:execute("insert into parent values (11)")
    local ok = pcall(two.transaction, two, function(three)
      three:execute("insert into parent values (12)")
      assert.eq(#one:query("select id from parent where id >= 10"), 3)
      error("no")
    end)
    assert.eq(ok, false)
    two:execute("insert into parent values (13)")
  end)
end)
assert.eq(parents(), "1 2 10 11 13")
conn:execute("delete from parent where id >= 10")

-- The commit itself may fail. Then nothing is left open.
local ok
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("insert into child values (99)")
  return "never seen"
end)
assert.eq(ok, false)
assert.eq(err.kind, "foreign_key")
assert.eq(conn:query("select * from child"), {})

-- Who ends it by hand is told.
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("insert into parent values (3)")
  tx:execute("rollback")
end)
assert.eq(ok, false)
assert.eq(err.kind, "sql")
assert.eq(parents(), "1 2")

-- Cancelled inside of a savepoint, it is over as a whole.
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("insert into parent values (3)")
  local fine, why = pcall(async.timeout, 0.05, function()
    tx:transaction(function(inner)
      inner:execute("insert into parent values (4)")
      sleep(60)
    end)
  end)
  assert.eq(fine, false)
  assert.eq(why.kind, "timeout")
  fine, why = pcall(tx.execute, tx, "insert into parent values (5)")
  assert.eq(fine, false)
  assert.eq(why.kind, "transaction")
end)
assert.eq(ok, false)
assert.eq(err.kind, "transaction")
assert.eq(parents(), "1 2")

-- So it is after a statement of it that took too long.
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("insert into parent values (3)")
  local fine, why = pcall(tx.query, tx,
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", {}, { timeout = 0.05 })
  assert.eq(fine, false)
  assert.eq(why.kind, "timeout")
end)
assert.eq(ok, false)
assert.contains(err.message, "cut short")
assert.eq(parents(), "1 2")

-- Coroutines share a transaction: their statements take turns.
local results = conn:transaction(function(tx)
  return async.all({
    function()
      return tx:execute("insert into parent values (3)").rows_affected
    end,
    function()
      return tx:query("select 5 as v")[1].v
    end,
  })
end)
assert.eq(results, { 1, 5 })
assert.eq(parents(), "1 2 3")

-- Two at once on one file: the second one waits for the first.
local folder = fs.tempdir()
local file = db.connect("sqlite:" .. folder .. "/test.db", { max_connections = 2 })
file:execute("create table counter (n integer)")
file:execute("insert into counter values (0)")
local add = function()
  file:transaction(function(tx)
    local n = tx:query("select n from counter")[1].n
    sleep(0.01)
    tx:execute("update counter set n = ?", { n + 1 })
  end)
end
async.all({ add, add, add, add })
assert.eq(file:query("select n from counter"), { { n = 4 } })
file:close()
fs.remove(folder, { recursive = true })

-- A closed connection begins nothing; closing it twice is no mistake.
do
  local short <close> = conn
end
ok, err = pcall(conn.transaction, conn, function() end)
assert.eq(ok, false)
assert.eq(err.kind, "closed")
conn:close()
