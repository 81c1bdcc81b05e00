//! What is wrong with a URL or an option is said before anything is connected to.

use assay_plugin::Value;
use libtest_mimic::Trial;

use crate::{Backend, case, host, refused, says, table};

pub fn cases() -> Vec<Trial> {
    vec![
        case("address::wrong_urls", Backend::Sqlite, wrong_urls),
        case("address::wrong_options", Backend::Sqlite, wrong_options),
        case("address::permissions", Backend::Sqlite, permissions),
    ]
}

fn wrong_urls() {
    for (url, part, hint) in [
        (
            "postgre://u@h/d",
            "expected a URL that begins with",
            "did you mean `postgres:`?",
        ),
        ("nonsense", "expected a URL that begins with", ""),
        (
            "postgres://h/d",
            "the URL names no user",
            "postgres://user:password@host/database",
        ),
        ("postgres://u:a/b@h/d", "not a URL", "percent-encoded"),
        (
            "postgres://u@h/d?sslmod=require",
            "unknown parameter `sslmod`",
            "did you mean `sslmode`?",
        ),
        (
            "postgres://u@h/d?pgbouncer=true",
            "unknown parameter `pgbouncer`",
            "known are: sslmode",
        ),
        (
            "postgres://u@h/d?sslmode=fulll",
            "expected `disable`, `prefer`",
            "",
        ),
        (
            "postgres://u@h/d?port=x",
            "expected 1 to 65535, got `x`",
            "",
        ),
        ("postgres://u%00@h/d", "zero byte", ""),
        (
            "mysql://u@h/d?ssl-ca=/nowhere.pem",
            "option `ca_cert`: cannot read /nowhere.pem",
            "",
        ),
        ("sqlite:", "names no file", "sqlite::memory:"),
        ("sqlite:x.db?mode=rx", "expected `ro`, `rw` or `rwc`", ""),
        ("sqlite:x.db?journal=wal", "unknown parameter `journal`", ""),
    ] {
        let error = refused(url, Value::Nil);
        says(&error, "argument", part);
        let said = error.hint_text().unwrap_or_default();
        assert!(said.contains(hint), "{url}: {said:?}");
    }
    // Neither a URL that cannot be read nor its password is in the message.
    let error = refused("postgres://u:pa/ss@h/d", Value::Nil);
    assert!(!error.message().contains("ss@h"), "{error:?}");
}

fn wrong_options() {
    for (options, part) in [
        (table([("max_conections", Value::Int(1))]), "max_conections"),
        (
            table([("max_connections", Value::Int(0))]),
            "expected at least 1, got 0",
        ),
        (
            table([("max_connections", Value::Int(2))]),
            "a database in memory has one connection",
        ),
        (table([("timeout", Value::Float(-1.0))]), "option `timeout`"),
        (
            table([("timeout", Value::Float(f64::NAN))]),
            "option `timeout`",
        ),
        (
            table([("tls", "require".into())]),
            "SQLite's databases are files",
        ),
    ] {
        says(&refused("sqlite::memory:", options), "argument", part);
    }
    for (tls, part) in [
        (Value::from("verify"), "option `tls`: expected"),
        (table([("ca", "x".into())]), "option `tls`"),
        (table([("client_cert", "x".into())]), "needs `client_key`"),
        (
            table([("ca_cert", "-----BEGIN CERTIFICATE-----".into())]),
            "option `ca_cert`",
        ),
    ] {
        says(
            &refused("postgres://u@127.0.0.1:1/d", table([("tls", tls)])),
            "argument",
            part,
        );
    }
}

fn permissions() {
    let host = host();
    host.deny("net.connect 127.0.0.1:5432");
    let error = host
        .call::<Value>("connect", ("postgres://u@127.0.0.1/d",))
        .unwrap_err();
    says(&error, "permission", "127.0.0.1:5432");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let url = format!("sqlite:{}", file.display());
    host.deny(&format!("fs.write {}", file.display()));
    says(
        &host.call::<Value>("connect", (&*url,)).unwrap_err(),
        "permission",
        "a.db",
    );
    assert!(!file.exists());
    // The same file, by another way.
    let conn = host
        .call::<assay_plugin::AnyObject>("connect", ("sqlite::memory:",))
        .unwrap();
    for sql in [
        format!("attach '{}' as a", file.display()),
        format!("vacuum into '{}'", file.display()),
    ] {
        says(
            &host
                .method::<Value>(&conn, "execute", (&*sql,))
                .unwrap_err(),
            "permission",
            "a.db",
        );
    }
    says(
        &host
            .method::<Value>(&conn, "execute", ("attach 'file:x' as a",))
            .unwrap_err(),
        "argument",
        "needs a path",
    );
    assert!(!file.exists());
}
