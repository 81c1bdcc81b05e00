-- Rows one by one: what a loop that is left early holds, and for how long.
global db, assert, pcall, tostring, collectgarbage

local ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
local conn = db.connect("sqlite::memory:", { timeout = 0.2 })

-- Without `<close>` the connection is the loop's until the collector comes by.
for row in conn:each(ENDLESS) do
  if row.i == 3 then
    break
  end
end
local ok, err = pcall(conn.query, conn, "select 1")
assert.eq(ok, false)
assert.eq(err.kind, "pool")
assert.contains(err.message, "1 in use (1 by db.each)")
assert.contains(err.hint, "<close>")
collectgarbage()
assert.eq(conn:query("select 1 as v")[1].v, 1)

-- Closed, it is free at once, in a transaction too.
for _ = 1, 200 do
  local rows = conn:each(ENDLESS)
  assert.eq(rows().i, 1)
  rows:close()
  assert.eq(rows(), nil)
  rows:close()
end
conn:transaction(function(tx)
  for _ = 1, 200 do
    local rows = tx:each(ENDLESS)
    assert.eq(rows().i, 1)
    rows:close()
    assert.eq(tx:query("select 1 as v")[1].v, 1)
  end
end)

-- No rows, and a statement that fails at once or in the middle.
for _ in conn:each("select 1 where false") do
  assert.eq("a row", nil)
end
ok, err = pcall(conn.each, conn, "select nothing")
assert.eq(ok, false)
assert.eq(err.kind, "sql")
local rows = conn:each("with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select abs(case i when 100 then -9223372036854775807 - 1 else i end) as v from n")
local count = 0
ok, err = pcall(function()
  for _ in rows do
    count = count + 1
  end
end)
assert.eq(ok, false)
assert.contains(err.message, "overflow")
assert.eq(count, 99)
assert.eq(conn:query("select 1 as v")[1].v, 1)

-- A transaction that ends takes its loops with it: it commits, and they do not pass for complete.
conn:execute("create table t (id integer)")
local kept
local result = conn:transaction(function(tx)
  tx:execute("insert into t values (1)")
  kept = tx:each(ENDLESS)
  assert.eq(kept().i, 1)
  return "done"
end)
assert.eq(result, "done")
assert.eq(conn:query("select id from t"), { { id = 1 } })
local last
ok, err = pcall(function()
  for row in kept do
    last = row.i
  end
end)
assert.eq(ok, false)
assert.eq(err.kind, "transaction")
assert.eq((last or 1) < 1000, true)
assert.eq(tostring(kept):match("^db%.Rows"), "db.Rows")

-- So do a transaction that fails, and a savepoint.
ok, err = pcall(conn.transaction, conn, function(tx)
  tx:execute("insert into t values (2)")
  kept = tx:each(ENDLESS)
  tx:query("select 1")
end)
assert.eq(ok, false)
assert.contains(err.message, "busy with the rows of `each`")
conn:transaction(function(tx)
  tx:transaction(function(inner)
    kept = inner:each(ENDLESS)
  end)
  tx:execute("insert into t values (3)")
  -- Loops of the transaction itself still work.
  kept = tx:each(ENDLESS)
  assert.eq(kept().i, 1)
  kept:close()
end)
assert.eq(conn:query("select id from t order by id"), { { id = 1 }, { id = 3 } })

-- Closing the connection ends them too.
local open = conn:each(ENDLESS)
conn:close()
ok, err = pcall(function()
  for _ in open do
  end
end)
assert.eq(ok, false)
assert.eq(err.kind, "closed")
