//! Statements, parameters, rows.

use assay_plugin::{AnyObject, Value};
use libtest_mimic::Trial;

use crate::{Backend, Db, case, for_every, says, table};

pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    cases.extend(for_every("statements::rows", rows));
    cases.extend(for_every("statements::nulls", nulls));
    cases.extend(for_every("statements::parameters", parameters));
    cases.extend(for_every("statements::several", several));
    cases.extend(for_every("statements::changes", changes));
    cases.extend(for_every("statements::each", each));
    cases.extend(for_every("statements::each_is_left", each_is_left));
    cases.extend(for_every("statements::each_fails", each_fails));
    cases.extend(for_every("statements::closed", closed));
    cases.extend(for_every("statements::concurrent", concurrent));
    cases.push(case(
        "statements::postgres_parameters",
        Backend::Postgres,
        postgres_parameters,
    ));
    cases.push(case(
        "statements::postgres_changed_types",
        Backend::Postgres,
        postgres_changed_types,
    ));
    cases.push(case(
        "statements::postgres_copy",
        Backend::Postgres,
        postgres_copy,
    ));
    cases.push(case(
        "statements::mariadb_procedure",
        Backend::MariaDb,
        mariadb_procedure,
    ));
    cases.push(case(
        "statements::sqlite_foreign_keys",
        Backend::Sqlite,
        sqlite_foreign_keys,
    ));
    cases
}

fn rows(backend: Backend) {
    let db = Db::open(backend);
    assert_eq!(
        db.query(
            "select 1 as a, 'x' as b union all select 2, 'y' order by 1",
            []
        ),
        [
            table([("a", Value::Int(1)), ("b", "x".into())]),
            table([("a", Value::Int(2)), ("b", "y".into())]),
        ]
    );
    assert_eq!(db.query("select 1 as a where 1 = 0", []), []);
    // Of two columns with one name the last one counts.
    assert_eq!(
        db.query("select 1 as a, 2 as a", [])[0]
            .get("a")
            .map(|_| ()),
        Some(())
    );
    let name = db.create("wide", "a integer");
    assert_eq!(db.query(&format!("insert into {name} values (1)"), []), []);
}

fn nulls(backend: Backend) {
    let db = Db::open(backend);
    assert_eq!(
        db.query("select null as a, 1 as b", [])[0]
            .get("a")
            .cloned()
            .unwrap_or_default(),
        Value::Nil
    );
    let visible = db
        .try_query(
            "select null as a, 1 as b",
            [],
            table([("null", Value::Bool(true))]),
        )
        .unwrap();
    assert_eq!(visible, [table([("a", Value::Null), ("b", Value::Int(1))])]);
    let name = db.create("nulls", "id integer primary key, a text, b integer");
    db.execute(
        &format!("insert into {name} values (?, ?, ?)"),
        [Value::Int(1), Value::Null, Value::Nil],
    );
    assert_eq!(
        db.value(
            &format!("select count(*) as v from {name} where a is null and b is null"),
            []
        ),
        Value::Int(1)
    );
    // A list with a hole, as Lua has it.
    let holes = Value::Map(vec![
        (Value::Int(1), Value::Int(2)),
        (Value::Int(3), Value::Int(3)),
    ]);
    let sql = db.sql(&format!("insert into {name} values (?, ?, ?)"));
    db.host
        .method::<Value>(&db.conn, "execute", (&*sql, holes))
        .unwrap();
    assert_eq!(
        db.value(
            &format!("select b as v from {name} where id = 2 and a is null"),
            []
        ),
        Value::Int(3)
    );
}

fn parameters(backend: Backend) {
    let db = Db::open(backend);
    let sql = "select 1 as v where 1 = ? or 2 = ?";
    let error = db.fails(sql, [Value::Int(1)]);
    says(
        &error,
        "argument",
        "the statement takes 2 parameters, got 1",
    );
    assert!(error.hint_text().unwrap().contains("db.null"));
    says(
        &db.fails(sql, []),
        "argument",
        "the statement takes 2 parameters, got 0",
    );
    says(
        &db.fails(sql, vec![Value::Int(1); 3]),
        "argument",
        "the statement takes 2 parameters, got 3",
    );
    says(
        &db.fails("select 1 as v", [Value::Int(1)]),
        "argument",
        "the statement takes 0 parameters, got 1",
    );
    let named = table([("id", Value::Int(1))]);
    let error = db
        .host
        .method::<Value>(&db.conn, "query", (&*db.sql(sql), named))
        .unwrap_err();
    says(
        &error,
        "argument",
        "argument 2: expected a list of parameters",
    );
    let error = db
        .host
        .method::<Value>(&db.conn, "query", (sql, 1i64))
        .unwrap_err();
    says(
        &error,
        "argument",
        "argument 2: expected a list of parameters, got number",
    );
    let error = db
        .try_query(sql, [], table([("timout", Value::Int(1))]))
        .unwrap_err();
    says(&error, "argument", "argument 3");
    assert_eq!(db.query(sql, [Value::Int(7), Value::Int(2)]).len(), 1);
    // The connection is as good as before.
    assert_eq!(db.value("select 1 as v", []), Value::Int(1));

    let name = db.create("strings", "a text, b integer");
    let nasty = "'; drop table users; -- \"\\ \u{1f600}";
    db.execute(
        &format!("insert into {name} (a) values (?)"),
        [nasty.into()],
    );
    assert_eq!(
        db.value(&format!("select a as v from {name}"), []),
        Value::from(nasty)
    );
    db.execute(
        &format!("insert into {name} (b) values (?)"),
        [Value::Float(3.0)],
    );
    assert_eq!(
        db.value(
            &format!("select b as v from {name} where b = ?"),
            [Value::Int(3)]
        ),
        Value::Int(3)
    );
    // More than a packet.
    let long = "x".repeat(60_000);
    db.execute(&format!("delete from {name}"), []);
    db.execute(
        &format!("insert into {name} (a) values (?)"),
        [Value::from(&*long)],
    );
    assert_eq!(
        db.value(&format!("select a as v from {name}"), []),
        Value::from(&*long)
    );
}

fn several(backend: Backend) {
    let db = Db::open(backend);
    let name = db.create("several", "a integer");
    let done = db.execute(
        &format!(
            "insert into {name} values (1), (2); -- one;\ninsert into {name} values (3); select 1"
        ),
        [],
    );
    assert_eq!(done.get("rows_affected"), Some(&Value::Int(3)));
    assert_eq!(
        db.value(&format!("select count(*) as v from {name}"), []),
        Value::Int(3)
    );
    if backend != Backend::Sqlite {
        assert!(db.try_query("select 1; select 2", [], Value::Nil).is_err());
    }
}

fn changes(backend: Backend) {
    let db = Db::open(backend);
    let id = match backend {
        Backend::Postgres => "id serial primary key",
        Backend::MariaDb => "id integer primary key auto_increment",
        Backend::Sqlite => "id integer primary key",
    };
    let name = db.create("changes", &format!("{id}, a integer"));
    let done = db.execute(
        &format!("insert into {name} (a) values (?), (?)"),
        [Value::Int(7), Value::Int(8)],
    );
    assert_eq!(done.get("rows_affected"), Some(&Value::Int(2)));
    let id = match backend {
        Backend::Postgres => None,
        // The first of several, and the last.
        Backend::MariaDb => Some(Value::Int(1)),
        Backend::Sqlite => Some(Value::Int(2)),
    };
    assert_eq!(done.get("last_insert_id"), id.as_ref());
    let done = db.execute(
        &format!("update {name} set a = a + 1 where a > ?"),
        [Value::Int(0)],
    );
    assert_eq!(done, table([("rows_affected", Value::Int(2))]));
    let done = db.execute(&format!("drop table {name}"), []);
    assert_eq!(done, table([("rows_affected", Value::Int(0))]));
}

/// A statement with so many rows, numbered from 1.
fn numbers(backend: Backend, count: u32) -> String {
    match backend {
        Backend::Postgres => format!("select n from generate_series(1, {count}) as t(n)"),
        Backend::MariaDb => format!("select seq as n from seq_1_to_{count}"),
        Backend::Sqlite => format!(
            "with recursive t(n) as (select 1 union all select n + 1 from t where n < {count}) select n from t"
        ),
    }
}

fn start(db: &Db, sql: &str) -> AnyObject {
    db.host.method(&db.conn, "each", (sql,)).unwrap()
}

fn next(db: &Db, rows: &AnyObject) -> Option<i64> {
    match db.host.method::<Value>(rows, "__call", ()).unwrap() {
        Value::Nil => None,
        row => match row.get("n") {
            Some(Value::Int(n)) => Some(*n),
            other => panic!("{other:?}"),
        },
    }
}

fn each(backend: Backend) {
    let db = Db::with(backend, table([("max_connections", Value::Int(1))]));
    for count in [0, 1, 128, 1000] {
        let rows = start(&db, &numbers(backend, count.max(1)));
        let mut seen = 0;
        if count == 0 {
            let none = start(&db, "select 1 as n where 1 = 0");
            assert_eq!(next(&db, &none), None);
            assert_eq!(next(&db, &none), None);
            continue;
        }
        while let Some(n) = next(&db, &rows) {
            seen += 1;
            assert_eq!(n, seen);
        }
        assert_eq!(seen, i64::from(count));
        // The connection is free, though the rows are still held.
        assert_eq!(db.value("select 1 as v", []), Value::Int(1));
        assert_eq!(next(&db, &rows), None);
    }
}

fn each_is_left(backend: Backend) {
    let db = Db::with(
        backend,
        table([
            ("max_connections", Value::Int(1)),
            ("timeout", Value::Int(60)),
        ]),
    );
    for _ in 0..3 {
        let rows = start(&db, &numbers(backend, 1_000_000));
        assert_eq!(next(&db, &rows), Some(1));
        db.host.method::<Value>(&rows, "close", ()).unwrap();
        assert_eq!(next(&db, &rows), None);
        // In its only connection.
        assert_eq!(db.value("select 1 as v", []), Value::Int(1));
        // As the collector does it.
        let rows = start(&db, &numbers(backend, 1_000_000));
        assert_eq!(next(&db, &rows), Some(1));
        drop(rows);
        assert_eq!(db.value("select 1 as v", []), Value::Int(1));
    }
}

fn each_fails(backend: Backend) {
    let db = Db::open(backend);
    let error = db
        .host
        .method::<Value>(&db.conn, "each", ("select * from nosuchtable",))
        .unwrap_err();
    says(&error, "sql", "nosuchtable");
    assert_eq!(db.value("select 1 as v", []), Value::Int(1));
    if backend == Backend::Postgres {
        let rows = start(
            &db,
            "select 10 / (500 - n) as n from generate_series(1, 1000) as t(n)",
        );
        for _ in 1..500 {
            assert!(next(&db, &rows).is_some());
        }
        let error = db.host.method::<Value>(&rows, "__call", ()).unwrap_err();
        says(&error, "sql", "division by zero");
        assert_eq!(next(&db, &rows), None);
    }
}

fn closed(backend: Backend) {
    let db = Db::open(backend);
    let rows = start(&db, &numbers(backend, 1_000_000));
    db.host.method::<Value>(&db.conn, "close", ()).unwrap();
    says(
        &db.fails("select 1", []),
        "closed",
        "the connection is closed",
    );
    // Rows that are being read end with it.
    let error = loop {
        match db.host.method::<Value>(&rows, "__call", ()) {
            Ok(Value::Nil) => panic!("all rows came"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    says(&error, "closed", "the connection was closed");
    db.host.method::<Value>(&db.conn, "close", ()).unwrap();
}

fn concurrent(backend: Backend) {
    let db = Db::with(
        backend,
        table([
            ("max_connections", Value::Int(3)),
            ("timeout", Value::Int(60)),
        ]),
    );
    let name = db.create("concurrent", "a integer");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (conn, name, sql) = (db.conn.clone(), &name, db.sql("insert into T values (?)"));
            scope.spawn(move || {
                let host = crate::host();
                for at in 0..20 {
                    let params = Value::List(vec![Value::Int(thread * 100 + at)]);
                    host.method::<Value>(&conn, "execute", (&*sql.replace('T', name), params))
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(
        db.value(&format!("select count(distinct a) as v from {name}"), []),
        Value::Int(160)
    );
}

fn postgres_parameters() {
    let db = Db::open(Backend::Postgres);
    for (sql, value, part) in [
        (
            "select ?::text as v",
            Value::Bytes(vec![b'a', 0xff]),
            "parameter 1: a string that is not UTF-8 (byte 0xff at offset 1)",
        ),
        (
            "select ?::text as v",
            Value::Bytes(vec![0]),
            "parameter 1: a string with a zero byte",
        ),
        (
            "select ?::integer as v",
            Value::List(vec![Value::Int(1)]),
            "parameter 1: a table, for a type that is neither",
        ),
        (
            "select ?::integer[] as v",
            table([("a", Value::Int(1))]),
            "parameter 1: a table that is no list",
        ),
        (
            "select ?::jsonb as v",
            Value::List(vec![Value::Float(f64::NAN)]),
            "parameter 1: JSON cannot hold the number NaN",
        ),
        (
            "select ?::text as v",
            Value::Object(db.conn.clone()),
            "parameter 1: a db.Connection",
        ),
    ] {
        says(&db.fails(sql, [value]), "argument", part);
    }
    says(
        &db.fails("select ?::integer as v", ["x".into()]),
        "sql",
        "invalid input syntax for type integer",
    );
    assert_eq!(
        db.value("select ?::text[] as v", [table([])]),
        Value::List(vec![])
    );
    assert_eq!(
        db.value(
            "select array_length(?::int[], 1) as v",
            [Value::List(vec![Value::Int(1), Value::Null])]
        ),
        Value::Int(2)
    );
    assert_eq!(
        db.value(
            "select pg_typeof(?::jsonb -> 'a')::text as v",
            [table([("a", Value::Int(1))])]
        ),
        Value::from("jsonb")
    );
    // What psql would print, of a type that was there and is there again with another number.
    for _ in 0..2 {
        db.execute(
            "drop type if exists fresh cascade; create type fresh as enum ('a')",
            [],
        );
        assert_eq!(
            db.value("select array['a']::fresh[] as v", []),
            Value::List(vec!["a".into()])
        );
    }
}

fn postgres_changed_types() {
    let db = Db::open(Backend::Postgres);
    let name = db.create("changed", "a text");
    let insert = format!("insert into {name} values (?)");
    db.execute(&insert, ["1".into()]);
    db.execute(
        &format!("alter table {name} alter column a type uuid using null"),
        [],
    );
    db.execute(&insert, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()]);
    let select = format!("select * from {name} where a = ?");
    assert_eq!(
        db.query(&select, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()])
            .len(),
        1
    );
    db.execute(&format!("alter table {name} add column b integer"), []);
    db.execute(&format!("update {name} set b = 5"), []);
    let rows = db.query(&select, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()]);
    assert_eq!(rows[0].get("b"), Some(&Value::Int(5)));
}

fn postgres_copy() {
    let db = Db::with(
        Backend::Postgres,
        table([("max_connections", Value::Int(1))]),
    );
    let name = db.create("copy", "a integer");
    for sql in [
        format!("copy {name} from stdin"),
        format!("copy {name} to stdout"),
    ] {
        assert!(db.fails(&sql, []).message().contains("COPY"));
        assert!(
            db.try_execute(&sql, [])
                .unwrap_err()
                .message()
                .contains("COPY")
        );
        assert!(
            db.host
                .method::<Value>(&db.conn, "each", (&*sql,))
                .unwrap_err()
                .message()
                .contains("COPY")
        );
        assert_eq!(db.value("select 1 as v", []), Value::Int(1));
    }
}

fn mariadb_procedure() {
    let db = Db::open(Backend::MariaDb);
    db.execute("drop procedure if exists two_sets", []);
    db.execute(
        "create procedure two_sets() begin select 1 as v; select 2 as v; end",
        [],
    );
    assert_eq!(db.value("call two_sets()", []), Value::Int(1));
    assert_eq!(db.value("select 3 as v", []), Value::Int(3));
}

fn sqlite_foreign_keys() {
    let db = Db::open(Backend::Sqlite);
    db.execute(
        "create table a (id integer primary key); create table b (a references a)",
        [],
    );
    says(
        &db.try_execute("insert into b values (1)", []).unwrap_err(),
        "foreign_key",
        "FOREIGN KEY",
    );
    let (host, conn) = crate::connect("sqlite::memory:?foreign_keys=off", Value::Nil).unwrap();
    host.method::<Value>(&conn, "execute", ("create table a (id integer primary key); create table b (a references a); insert into b values (1)",)).unwrap();
}
