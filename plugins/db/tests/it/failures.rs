//! Statements that fail, and connections that are lost.

use assay_plugin::{AnyObject, Value};
use libtest_mimic::Trial;

use crate::{Backend, Db, case, for_every, says, table};

pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    cases.extend(for_every("failures::constraints", constraints));
    cases.extend(for_every("failures::syntax", syntax));
    cases.extend(for_every("failures::timeout", timeout));
    cases.extend(for_every("failures::pool", pool));
    cases.push(case(
        "failures::postgres_places",
        Backend::Postgres,
        postgres_places,
    ));
    cases.push(case("failures::postgres_lost", Backend::Postgres, || {
        lost(Backend::Postgres)
    }));
    cases.push(case("failures::mariadb_lost", Backend::MariaDb, || {
        lost(Backend::MariaDb)
    }));
    cases.push(case("failures::sqlite_busy", Backend::Sqlite, sqlite_busy));
    cases
}

fn constraints(backend: Backend) {
    let db = Db::open(backend);
    let name = db.create(
        "constrained",
        "id integer primary key, a integer not null unique, b integer check (b > 0)",
    );
    db.execute(&format!("insert into {name} values (1, 1, 1)"), []);
    for (values, kind) in [
        ("1, 2, 1", "unique"),
        ("2, 1, 1", "unique"),
        ("2, null, 1", "not_null"),
        ("2, 2, -1", "check"),
    ] {
        let error = db
            .try_execute(&format!("insert into {name} values ({values})"), [])
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        // The fields beside the message.
        match backend {
            Backend::Sqlite => assert!(
                matches!(error.field_value("code"), Some(Value::Int(_))),
                "{error:?}"
            ),
            Backend::MariaDb => assert!(
                error
                    .field_value("sqlstate")
                    .and_then(Value::as_str)
                    .is_some()
            ),
            Backend::Postgres => {
                assert!(error.message().contains("SQLSTATE 23"), "{error:?}");
                assert_eq!(error.field_value("table"), Some(&Value::from(&*name)));
                let constraint = error.field_value("constraint").and_then(Value::as_str);
                assert_eq!(constraint.is_some(), kind != "not_null", "{constraint:?}");
            }
        }
    }
    assert_eq!(
        db.value(&format!("select count(*) as v from {name}"), []),
        Value::Int(1)
    );
}

fn syntax(backend: Backend) {
    let db = Db::open(backend);
    for sql in ["selec 1", "select * from nosuchtable", ""] {
        let error = match db.try_query(sql, [], Value::Nil) {
            Err(error) => error,
            // No statement has no rows.
            Ok(rows) if sql.is_empty() && rows.is_empty() => continue,
            Ok(rows) => panic!("{rows:?}"),
        };
        says(&error, "sql", "");
        assert_eq!(db.value("select 1 as v", []), Value::Int(1));
    }
}

fn postgres_places() {
    let db = Db::open(Backend::Postgres);
    let error = db.fails("select 1,\n  é from t", []);
    says(&error, "sql", "(SQLSTATE 42P01, line 2 column 10)");
    assert_eq!(error.field_value("position"), Some(&Value::Int(20)));
    let error = db.fails("select nam from (select 1 as name) t", []);
    says(
        &error,
        "sql",
        "column \"nam\" does not exist (SQLSTATE 42703, line 1 column 8)",
    );
    assert!(error.hint_text().unwrap().contains("t.name"), "{error:?}");
}

/// What takes longer than any test.
fn endless(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "select pg_sleep(1000)",
        Backend::MariaDb => "select sleep(1000)",
        Backend::Sqlite => {
            "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t"
        }
    }
}

fn timeout(backend: Backend) {
    let db = Db::with(backend, table([("max_connections", Value::Int(1))]));
    let name = db.create("kept", "a integer");
    let error = db
        .try_query(
            endless(backend),
            [],
            table([("timeout", Value::Float(0.3))]),
        )
        .unwrap_err();
    says(&error, "timeout", "the statement took longer than 0.3 s");
    // The only connection is free again, and on the server nothing runs.
    assert_eq!(
        db.value(&format!("select count(*) as v from {name}"), []),
        Value::Int(0)
    );
    let running = match backend {
        Backend::Postgres => {
            "select count(*) as v from pg_stat_activity where query = 'select pg_sleep(1000)' and state = 'active'"
        }
        Backend::MariaDb => {
            "select count(*) as v from information_schema.processlist where info = 'select sleep(1000)'"
        }
        Backend::Sqlite => return,
    };
    // Ended statements are listed for a moment: as long as it takes, but not for ever.
    for _ in 0..1000 {
        if db.value(running, []) == Value::Int(0) {
            return;
        }
    }
    panic!("the statement still runs");
}

fn pool(backend: Backend) {
    let db = Db::with(
        backend,
        table([
            ("max_connections", Value::Int(1)),
            ("timeout", Value::Int(3)),
        ]),
    );
    let rows: AnyObject = db.host.method(&db.conn, "each", (match backend {
        Backend::Postgres => "select n from generate_series(1, 100000) t(n)",
        Backend::MariaDb => "select seq as n from seq_1_to_1000000",
        Backend::Sqlite => "with recursive t(n) as (select 1 union all select n + 1 from t) select n from t",
    },)).unwrap();
    let error = db.fails("select 1", []);
    says(
        &error,
        "pool",
        "no connection became free within 3 s: 1 in use (1 by db.each)",
    );
    assert!(error.hint_text().unwrap().contains("<close>"));
    drop(rows);
}

fn lost(backend: Backend) {
    let db = Db::with(backend, table([("max_connections", Value::Int(1))]));
    let killer = Db::open(backend);
    let (own, kill) = match backend {
        Backend::Postgres => (
            "select pg_backend_pid() as v",
            "select pg_terminate_backend(ID) as v",
        ),
        _ => ("select connection_id() as v", "kill ID"),
    };
    let id = |db: &Db| match db.value(own, []) {
        Value::Int(id) => id.to_string(),
        other => panic!("{other:?}"),
    };
    // While a statement runs.
    let victim = id(&db);
    std::thread::scope(|scope| {
        let (conn, sql) = (db.conn.clone(), endless(backend));
        let running = scope.spawn(move || crate::host().method::<Value>(&conn, "query", (sql,)));
        let is_running = match backend {
            Backend::Postgres => format!(
                "select count(*) as v from pg_stat_activity where pid = {victim} and query = '{sql}' and state = 'active'"
            ),
            _ => format!(
                "select count(*) as v from information_schema.processlist where id = {victim} and info = '{sql}'"
            ),
        };
        while killer.value(&is_running, []) != Value::Int(1) {}
        killer.execute(&kill.replace("ID", &victim), []);
        let error = running.join().unwrap().unwrap_err();
        assert!(error.kind() == "connection", "{error:?}");
        assert!(error.hint_text().unwrap().contains("not known"));
    });
    // The next statement has a new one.
    let second = id(&db);
    assert_ne!(second, victim);
    // While it lay idle: whoever waits for more than the check's second has a new one at once.
    killer.execute(&kill.replace("ID", &second), []);
    if backend == Backend::Postgres {
        let gone = format!("select count(*) as v from pg_stat_activity where pid = {second}");
        while killer.value(&gone, []) != Value::Int(0) {}
        assert_ne!(id(&db), second);
    }
}

fn sqlite_busy() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/busy.db", folder.path().display());
    let options = || {
        table([
            ("timeout", Value::Float(0.3)),
            ("max_connections", Value::Int(1)),
        ])
    };
    let (host, holder) = crate::connect(&url, options()).unwrap();
    host.method::<Value>(&holder, "execute", ("create table t (a); begin immediate",))
        .unwrap();
    let (host, other) = crate::connect(&url, options()).unwrap();
    let error = host
        .method::<Value>(&other, "execute", ("insert into t values (1)",))
        .unwrap_err();
    assert!(["busy", "timeout"].contains(&error.kind()), "{error:?}");
    assert!(error.hint_text().is_some());
    host.method::<Value>(&holder, "execute", ("commit",))
        .unwrap();
    host.method::<Value>(
        &other,
        "execute",
        (
            "insert into t values (1)",
            Value::Nil,
            table([("timeout", Value::Int(30))]),
        ),
    )
    .unwrap();
}
