//! The family as scripts call it, through the kit's host, against real servers.

#[path = "servers.rs"]
mod servers;

mod address;
mod connecting;
mod failures;
mod statements;
mod types;

use std::process::ExitCode;

use assay_plugin::test::Host;
use assay_plugin::{AnyObject, Error, Value};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A database to test against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Backend {
    Postgres,
    MariaDb,
    Sqlite,
}

const EVERY: [Backend; 3] = [Backend::Postgres, Backend::MariaDb, Backend::Sqlite];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most cases wait for a server.
    arguments.test_threads.get_or_insert(4);
    let trials = [
        address::cases(),
        connecting::cases(),
        failures::cases(),
        statements::cases(),
        types::cases(),
    ];
    let code = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code();
    servers::stop();
    code
}

/// A case, or with a backend that is missing on this machine the reason why it does not run.
fn case(name: impl Into<String>, backend: Backend, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        let missing = match backend {
            Backend::Postgres => servers::postgres_programs()
                .is_none()
                .then_some("postgresql is missing"),
            Backend::MariaDb => (!std::path::Path::new("/usr/sbin/mariadbd").exists())
                .then_some("mariadb-server is missing"),
            Backend::Sqlite => None,
        };
        if let Some(reason) = missing {
            return Ok(Completion::ignored_with(reason));
        }
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        caught.map(|()| Completion::Completed).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Failed::from(
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_default(),
            )
        })
    })
}

/// A case for each backend.
fn for_every(name: &str, run: fn(Backend)) -> Vec<Trial> {
    EVERY
        .into_iter()
        .map(|backend| {
            case(
                format!("{name}::{backend:?}").to_ascii_lowercase(),
                backend,
                move || run(backend),
            )
        })
        .collect()
}

/// What a script has: a connection, and how to call it.
struct Db {
    host: Host,
    conn: AnyObject,
    backend: Backend,
    _file: Option<tempfile::TempDir>,
}

impl Db {
    fn open(backend: Backend) -> Self {
        Self::with(backend, table([]))
    }

    fn with(backend: Backend, options: Value) -> Self {
        let file = (backend == Backend::Sqlite).then(|| tempfile::tempdir().unwrap());
        let url = match &file {
            Some(folder) => format!("sqlite:{}", folder.path().join("test.db").display()),
            None => url(backend),
        };
        let host = host();
        let conn = host
            .call("connect", (&*url, options))
            .unwrap_or_else(|error: Error| panic!("{error:?}"));
        Self {
            host,
            conn,
            backend,
            _file: file,
        }
    }

    /// The statement with the placeholders of the backend, written as `?`.
    fn sql(&self, sql: &str) -> String {
        let mut count = 0;
        if self.backend != Backend::Postgres {
            return sql.to_owned();
        }
        sql.chars()
            .map(|c| match c {
                '?' => {
                    count += 1;
                    format!("${count}")
                }
                c => c.to_string(),
            })
            .collect()
    }

    fn try_query(
        &self,
        sql: &str,
        params: impl Into<Vec<Value>>,
        options: Value,
    ) -> Result<Vec<Value>, Error> {
        let rows = self.host.method(
            &self.conn,
            "query",
            (&*self.sql(sql), Value::List(params.into()), options),
        )?;
        match rows {
            Value::List(rows) => Ok(rows),
            Value::Map(none) if none.is_empty() => Ok(Vec::new()),
            other => panic!("{other:?}"),
        }
    }

    fn query(&self, sql: &str, params: impl Into<Vec<Value>>) -> Vec<Value> {
        self.try_query(sql, params, Value::Nil)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// The column `v` of the only row.
    fn value(&self, sql: &str, params: impl Into<Vec<Value>>) -> Value {
        let rows = self.query(sql, params);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].get("v").cloned().unwrap_or_default()
    }

    fn try_execute(&self, sql: &str, params: impl Into<Vec<Value>>) -> Result<Value, Error> {
        self.host.method(
            &self.conn,
            "execute",
            (&*self.sql(sql), Value::List(params.into())),
        )
    }

    fn execute(&self, sql: &str, params: impl Into<Vec<Value>>) -> Value {
        self.try_execute(sql, params)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    fn fails(&self, sql: &str, params: impl Into<Vec<Value>>) -> Error {
        match self.try_query(sql, params, Value::Nil) {
            Ok(rows) => panic!("{sql}: no error, but {rows:?}"),
            Err(error) => error,
        }
    }

    /// A table that no other case has, named after it.
    fn create(&self, name: &str, columns: &str) -> String {
        let name = format!("t_{name}");
        self.execute(&format!("drop table if exists {name}"), []);
        self.execute(&format!("create table {name} ({columns})"), []);
        name
    }
}

fn host() -> Host {
    Host::new(&assay_db::ASSAY_PLUGIN)
}

fn url(backend: Backend) -> String {
    let (scheme, port) = match backend {
        Backend::Postgres => (
            "postgres",
            servers::postgres()
                .unwrap_or_else(|why| panic!("{why}"))
                .port,
        ),
        Backend::MariaDb => (
            "mariadb",
            servers::mariadb()
                .unwrap_or_else(|why| panic!("{why}"))
                .port,
        ),
        Backend::Sqlite => return "sqlite::memory:".into(),
    };
    let database = if backend == Backend::Postgres {
        "postgres"
    } else {
        "app"
    };
    format!(
        "{scheme}://app:{}@localhost:{port}/{database}",
        servers::ESCAPED
    )
}

fn connect(url: &str, options: Value) -> Result<(Host, AnyObject), Error> {
    let host = host();
    let conn = host.call("connect", (url, options))?;
    Ok((host, conn))
}

fn refused(url: &str, options: Value) -> Error {
    match connect(url, options) {
        Ok(_) => panic!("{url}: no error"),
        Err(error) => error,
    }
}

/// A table from pairs.
fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(
        pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}

/// Holds an error to its kind and to a part of its message.
#[track_caller]
fn says(error: &Error, kind: &str, part: &str) {
    assert!(
        error.kind() == kind && error.message().contains(part),
        "expected {kind}: {part:?}, got {error:?} (hint: {:?})",
        error.hint_text()
    );
    assert!(
        !format!("{error:?} {:?}", error.hint_text()).contains(servers::PASSWORD),
        "{error:?}"
    );
}
