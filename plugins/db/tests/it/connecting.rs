//! TLS, passwords, sockets; and what is said of each way to fail.

use std::net::TcpListener;

use assay_plugin::{AnyObject, Value};
use libtest_mimic::Trial;

use crate::servers::{self, ESCAPED};
use crate::{Backend, case, connect, for_every, host, refused, says, table, url};

pub fn cases() -> Vec<Trial> {
    let mut cases = vec![
        case("connecting::postgres_tls", Backend::Postgres, || {
            tls(Backend::Postgres)
        }),
        case("connecting::mariadb_tls", Backend::MariaDb, || {
            tls(Backend::MariaDb)
        }),
        case(
            "connecting::postgres_passwords",
            Backend::Postgres,
            postgres_passwords,
        ),
        case(
            "connecting::postgres_socket",
            Backend::Postgres,
            postgres_socket,
        ),
        case(
            "connecting::mariadb_socket",
            Backend::MariaDb,
            mariadb_socket,
        ),
        case("connecting::no_server", Backend::Sqlite, no_server),
        case("connecting::no_file", Backend::Sqlite, no_file),
    ];
    cases.extend(for_every("connecting::refused", wrong_credentials));
    cases
}

fn server(backend: Backend) -> &'static servers::Server {
    match backend {
        Backend::Postgres => servers::postgres(),
        _ => servers::mariadb(),
    }
    .unwrap()
}

/// Whether the connection is encrypted, as the server sees it.
fn is_encrypted(backend: Backend, options: Value) -> bool {
    let (host, conn) = connect(&url(backend), options).unwrap();
    let sql = match backend {
        Backend::Postgres => "select ssl::text as v from pg_stat_ssl where pid = pg_backend_pid()",
        _ => {
            "select variable_value as v from information_schema.session_status where variable_name = 'Ssl_version'"
        }
    };
    let Value::List(rows) = host.method::<Value>(&conn, "query", (sql,)).unwrap() else {
        panic!()
    };
    let version = rows[0].get("v").cloned().unwrap();
    version == Value::from("true") || version.as_str().unwrap().starts_with("TLS")
}

fn tls(backend: Backend) {
    let server = server(backend);
    let with = |pairs: &[(&str, String)]| {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).into(), Value::from(&**value)))
            .collect();
        table([("tls", Value::Map(pairs))])
    };
    let (ca, other) = (
        server.certificate("ca.pem"),
        server.certificate("other.pem"),
    );
    let (certificate, key) = (
        server.certificate("client.pem"),
        server.certificate("client.key"),
    );
    assert!(is_encrypted(backend, Value::Nil), "prefer");
    assert!(is_encrypted(backend, table([("tls", "require".into())])));
    assert!(!is_encrypted(backend, table([("tls", Value::Bool(false))])));
    assert!(is_encrypted(backend, with(&[("ca_cert", ca.clone())])));
    // As text too.
    assert!(is_encrypted(
        backend,
        with(&[("ca_cert", fs_err::read_to_string(&ca).unwrap())])
    ));

    let error = refused(&url(backend), table([("tls", Value::Bool(true))]));
    says(&error, "tls", "localhost");
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("`ca_cert` in the option `tls`"),
        "{error:?}"
    );
    says(
        &refused(&url(backend), with(&[("ca_cert", other.clone())])),
        "tls",
        "UnknownIssuer",
    );
    says(
        &refused(
            &url(backend),
            with(&[("ca_cert", other), ("mode", "verify-ca".into())]),
        ),
        "tls",
        "UnknownIssuer",
    );
    // The certificate is for localhost.
    let by_address = url(backend).replace("localhost", "127.0.0.1");
    says(
        &refused(&by_address, with(&[("ca_cert", ca.clone())])),
        "tls",
        "not valid for",
    );
    connect(
        &by_address,
        with(&[("ca_cert", ca.clone()), ("mode", "verify-ca".into())]),
    )
    .unwrap();

    // In the URL, as other tools have it.
    let parameters = match backend {
        Backend::Postgres => format!("?sslmode=verify-full&sslrootcert={ca}"),
        _ => format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}"),
    };
    connect(&format!("{}{parameters}", url(backend)), Value::Nil).unwrap();

    // The server wants a certificate of this user.
    let certified = url(backend).replace("app:", "certified:");
    let certified = match backend {
        Backend::Postgres => {
            let (host, conn) = connect(&url(backend), Value::Nil).unwrap();
            let created = host.method::<Value>(&conn, "execute", ("create role certified login",));
            assert!(created.is_ok() || created.unwrap_err().message().contains("already exists"));
            certified.replace(&format!(":{ESCAPED}"), "")
        }
        _ => certified,
    };
    assert_eq!(
        refused(&certified, with(&[("ca_cert", ca.clone())])).kind(),
        "auth"
    );
    let identity = with(&[
        ("ca_cert", ca),
        ("client_cert", certificate),
        ("client_key", key),
    ]);
    connect(&certified, identity).unwrap();
}

fn postgres_passwords() {
    let (host, conn) = connect(&url(Backend::Postgres), Value::Nil).unwrap();
    let execute = |sql: &str| host.method::<Value>(&conn, "execute", (sql,));
    for (user, setting) in [("md5user", "md5"), ("clear", "scram-sha-256")] {
        let _ = execute(&format!(
            "set password_encryption = '{setting}'; create role {user} login password '{}'",
            servers::PASSWORD
        ));
        let user_url = url(Backend::Postgres).replace("app:", &format!("{user}:"));
        connect(&user_url, Value::Nil).unwrap_or_else(|error| panic!("{user}: {error:?}"));
        let wrong = user_url.replace(ESCAPED, "wrong");
        says(
            &refused(&wrong, Value::Nil),
            "auth",
            "password authentication failed",
        );
    }
}

fn postgres_socket() {
    let server = servers::postgres().unwrap();
    let folder = server.folder.display().to_string();
    for url in [
        format!(
            "postgres://app@/postgres?host={folder}&port={}",
            server.port
        ),
        format!(
            "postgres://app@{}:{}/postgres",
            folder.replace('/', "%2F"),
            server.port
        ),
    ] {
        let (host, conn) =
            connect(&url, Value::Nil).unwrap_or_else(|error| panic!("{url}: {error:?}"));
        host.method::<Value>(&conn, "query", ("select 1",)).unwrap();
    }
    let error = refused(
        &format!("postgres://app@/postgres?host={folder}&port=1"),
        Value::Nil,
    );
    says(&error, "connect", "no such file or directory");
}

fn mariadb_socket() {
    let server = servers::mariadb().unwrap();
    let socket = server.folder.join("socket").display().to_string();
    let url = format!("mysql://app:{ESCAPED}@/app?socket={socket}");
    connect(&url, Value::Nil).unwrap();
}

fn no_server() {
    // Nobody listens there any more.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for scheme in ["postgres", "mysql"] {
        let error = refused(
            &format!("{scheme}://u:secret@127.0.0.1:{port}/d"),
            Value::Nil,
        );
        assert_eq!(
            error.message(),
            format!("connect: connection refused ({scheme}://u@127.0.0.1:{port}/d)")
        );
        let error = refused(&format!("{scheme}://u@nowhere.invalid/d"), Value::Nil);
        says(&error, "dns", "nowhere.invalid");
        // Somebody who says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://u@{}/d", silent.local_addr().unwrap());
        let error = refused(&url, table([("timeout", Value::Float(0.2))]));
        says(&error, "timeout", "no connection within 0.2 s");
        drop(silent);
        // Somebody who says something else.
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://u@{}/d", other.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            use std::io::Write;
            let (mut socket, _) = other.accept().unwrap();
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        });
        let error = refused(&url, table([("timeout", Value::Int(20))]));
        assert!(["protocol", "connect"].contains(&error.kind()), "{error:?}");
        thread.join().unwrap();
    }
}

fn no_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("sqlite:{}/a.db?mode=rw", folder.path().display());
    let error = refused(&missing, Value::Nil);
    says(&error, "connect", "unable to open database file");
    assert!(error.hint_text().unwrap().contains("`mode`"));
    says(
        &refused("sqlite:/nowhere/at/all.db", Value::Nil),
        "connect",
        "sqlite:/nowhere/at/all.db",
    );
    fs_err::write(
        folder.path().join("text"),
        "this is no database, but long enough to be looked at ".repeat(9),
    )
    .unwrap();
    let host = host();
    let found = host.call::<AnyObject>(
        "connect",
        (&*format!("sqlite:{}/text", folder.path().display()),),
    );
    // SQLite may look into it only with the first statement.
    let error = match found {
        Err(error) => error,
        Ok(conn) => host
            .method::<Value>(&conn, "query", ("select * from sqlite_master",))
            .unwrap_err(),
    };
    assert!(
        error.message().contains("file is not a database"),
        "{error:?}"
    );
}

fn wrong_credentials(backend: Backend) {
    if backend == Backend::Sqlite {
        return;
    }
    let right = url(backend);
    let error = refused(&right.replace(ESCAPED, "wr0ng"), Value::Nil);
    says(&error, "auth", "app@localhost");
    assert!(
        error.hint_text().unwrap().contains("password is wrong"),
        "{error:?}"
    );
    assert!(!error.message().contains("wr0ng"), "{error:?}");
    let (base, _) = right.rsplit_once('/').unwrap();
    let error = refused(&format!("{base}/nosuchdatabase"), Value::Nil);
    says(&error, "connect", "nosuchdatabase");
    assert!(
        error
            .hint_text()
            .unwrap()
            .contains("the URL's path is the database")
    );
}
