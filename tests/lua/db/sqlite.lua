-- The family from a script: functions and methods, rows, nulls, transactions, loops.
global db, json, assert, ipairs, pcall, error, type, async, sleep, tostring, fs

local conn = db.connect("sqlite::memory:")
assert.eq(db.null, json.null)

db.execute(conn, "create table t (id integer primary key, name text, data blob)")
local done = db.execute(conn, "insert into t (name, data) values (?, ?)", { "é", "\0\xff" })
assert.eq(done.rows_affected, 1)
assert.eq(done.last_insert_id, 1)
conn:execute("insert into t (name) values (?)", { db.null })
assert.eq(db.query(conn, "select * from t order by id"), {
  { id = 1, name = "é", data = "\0\xff" },
  { id = 2 },
})
assert.eq(conn:query("select name from t where id = 2", {}, { null = true }), { { name = db.null } })

-- A hole is NULL, what is missing at the end is not.
conn:execute("insert into t (id, name, data) values (?, ?, ?)", { 3, nil, "x" })
assert.eq(conn:query("select name, data from t where id = 3"), { { data = "x" } })
local ok, err = pcall(conn.query, conn, "select ? as a, ? as b", { 1, nil })
assert.eq(ok, false)
assert.eq(err.kind, "argument")
assert.contains(err.hint, "db.null")

-- Rows one by one.
local sum = 0
for row in conn:each("select id from t order by id") do
  sum = sum + row.id
end
assert.eq(sum, 6)
do
  local rows <close> = conn:each("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n")
  for row in rows do
    if row.i == 1000 then
      break
    end
  end
end
assert.eq(conn:query("select 1 as one")[1].one, 1)

-- A transaction commits with what its function returns.
local result = db.transaction(conn, function(tx)
  tx:execute("update t set name = 'new'")
  return { changed = db.query(tx, "select count(*) as n from t where name = 'new'")[1].n }
end)
assert.eq(result, { changed = 3 })

-- And rolls back with what it raises, which stays what it was.
local thrown = { code = 42 }
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("delete from t")
  error(thrown)
end)
assert.eq(ok, false)
assert.eq(err, thrown)
assert.eq(conn:query("select count(*) as n from t")[1].n, 3)

-- A savepoint inside.
conn:transaction(function(tx)
  tx:execute("insert into t (id) values (10)")
  local fine, inner = pcall(tx.transaction, tx, function(nested)
    nested:execute("insert into t (id) values (11)")
    nested:execute("insert into t (id) values (10)")
  end)
  assert.eq(fine, false)
  assert.eq(inner.kind, "unique")
  tx:execute("insert into t (id) values (12)")
end)
assert.eq(conn:query("select id from t where id >= 10 order by id"), { { id = 10 }, { id = 12 } })

-- Cancelled in the middle.
ok, err = pcall(async.timeout, 0.05, function()
  conn:transaction(function(tx)
    tx:execute("delete from t")
    sleep(60)
  end)
end)
assert.eq(ok, false)
assert.eq(conn:query("select count(*) as n from t")[1].n, 5)

-- A statement too, and the database is still there.
ok, err = pcall(async.timeout, 0.05, function()
  conn:query("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n")
end)
assert.eq(ok, false)
assert.eq(conn:query("select count(*) as n from t")[1].n, 5)

-- What is kept of a transaction is worth nothing afterwards.
local kept
conn:transaction(function(tx)
  kept = tx
  local busy <close> = tx:each("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n")
  local went, why = pcall(tx.query, tx, "select 1")
  assert.eq(went, false)
  assert.contains(why.message, "busy with the rows of `each`")
  went, why = pcall(tx.close, tx)
  assert.eq(why.kind, "transaction")
end)
ok, err = pcall(kept.query, kept, "select 1")
assert.eq(err.kind, "transaction")
assert.contains(err.message, "the transaction has ended")

conn:close()
ok, err = pcall(conn.query, conn, "select 1")
assert.eq(err.kind, "closed")
