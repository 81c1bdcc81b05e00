//! Every row of the README's tables of types, in both directions.

use libtest_mimic::Trial;

use crate::{Backend, Db, case};
use assay_plugin::Value;

pub fn cases() -> Vec<Trial> {
    let mut cases = Vec::new();
    for (backend, mark) in [
        (Backend::Postgres, "postgres"),
        (Backend::MariaDb, "mariadb"),
        (Backend::Sqlite, "sqlite"),
    ] {
        cases.push(case(format!("types::{mark}"), backend, move || {
            every_row(backend, mark)
        }));
    }
    cases
}

/// What a script would have created.
const PREPARED: &[&str] = &[
    "drop type if exists mood cascade",
    "create type mood as enum ('sad', 'so, \"so\"')",
    "drop type if exists place cascade",
    "create type place as (name text, height integer)",
    "drop domain if exists positive cascade",
    "create domain positive as integer check (value > 0)",
    "create extension if not exists hstore",
    "create extension if not exists citext",
];

fn every_row(backend: Backend, mark: &str) {
    let db = Db::open(backend);
    if backend == Backend::Postgres {
        for sql in PREPARED {
            db.execute(sql, []);
        }
    }
    let rows = rows(mark);
    assert!(
        rows.len() > 8,
        "the table of {mark} has {} rows",
        rows.len()
    );
    let mut wrong = Vec::new();
    for [kind, example, expected] in rows {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let name = format!("types_{mark}");
            let name = db.create(&name, &format!("v {kind}"));
            db.execute(&format!("insert into {name} values ({example})"), []);
            let value = db.value(&format!("select v from {name}"), []);
            // And back, by way of a parameter.
            db.execute(&format!("delete from {name}"), []);
            db.execute(&format!("insert into {name} values (?)"), [value.clone()]);
            let again = db.value(&format!("select v from {name}"), []);
            // NULL of that type, in and out.
            db.execute(&format!("delete from {name}"), []);
            db.execute(&format!("insert into {name} values (?)"), [Value::Null]);
            let null = db.value(&format!("select v from {name}"), []);
            (shown(&value), shown(&again), shown(&null))
        }));
        match found {
            Ok((value, again, null)) => {
                if value != expected || again != expected || null != "nil" {
                    wrong.push(format!("{kind} {example}: documented {expected}, got {value}, as a parameter {again}, NULL {null}"));
                }
            }
            Err(panic) => wrong.push(format!(
                "{kind} {example}: {:?}",
                panic.downcast_ref::<String>()
            )),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `| type | example | in Lua |` behind the mark.
fn rows(mark: &str) -> Vec<[String; 3]> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme
        .split_once(&format!("<!-- types {mark} -->"))
        .expect("the table of types");
    let (table, _) = rest
        .split_once("<!-- end -->")
        .expect("the end of the table");
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<String> = line
                .trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().trim_matches('`').replace("\\|", "|"))
                .collect();
            cells
                .try_into()
                .unwrap_or_else(|cells| panic!("three cells: {cells:?}"))
        })
        .collect()
}

/// A value as Lua would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        Value::Null => "db.null".into(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) if float.is_nan() => "0/0".into(),
        Value::Float(float) if float.is_infinite() => if *float > 0.0 {
            "math.huge"
        } else {
            "-math.huge"
        }
        .into(),
        Value::Float(float) => format!("{float:?}"),
        Value::Bytes(bytes) => text(bytes),
        Value::Buf(bytes) => text(bytes),
        Value::List(items) => format!(
            "{{{}}}",
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        ),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{} = {}", key.as_str().unwrap(), shown(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => {
            let quote = if text.contains('"') { '\'' } else { '"' };
            format!("{quote}{text}{quote}")
        }
        _ => format!(
            "\"{}\"",
            bytes
                .iter()
                .map(|byte| format!("\\x{byte:02x}"))
                .collect::<String>()
        ),
    }
}
