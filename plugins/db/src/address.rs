//! From a URL and options to where to connect.

use std::path::PathBuf;
use std::time::Duration;

use assay_plugin::tls::Pem;
use assay_plugin::{Cx, Error, Result, Value, View, did_you_mean, from_view};
use serde::Deserialize;
use url::Url;

use crate::statement::seconds;
use crate::tls::{Mode, Tls};

/// A database, and how to use it. Every part was checked.
pub struct Address {
    pub place: Place,
    pub max_connections: usize,
    /// For a connection, and for each statement.
    pub timeout: Duration,
}

/// Where a database is.
pub enum Place {
    Postgres(Server),
    MySql(Server),
    Sqlite(File),
}

/// A server that is reached over a network or a socket.
pub struct Server {
    pub host: Host,
    pub port: u16,
    pub user: String,
    pub password: Option<String>,
    pub database: Option<String>,
    pub tls: Tls,
    pub application_name: String,
    /// PostgreSQL's command-line options of the session.
    pub options: Option<String>,
    /// The address without its secrets, for messages.
    pub shown: String,
}

/// Who listens.
pub enum Host {
    Name(String),
    Socket(PathBuf),
}

/// A file of SQLite's.
pub struct File {
    /// None for a database in memory.
    pub path: Option<PathBuf>,
    pub read_only: bool,
    pub create: bool,
    pub foreign_keys: bool,
    pub journal_mode: Option<String>,
    pub shown: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Options {
    max_connections: Option<u32>,
    timeout: Option<f64>,
    tls: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TlsOptions {
    mode: Option<String>,
    ca_cert: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
}

impl Address {
    /// From the arguments of `db.connect`.
    pub fn read(cx: &Cx, url: &str, opts: View<'_>) -> Result<Self> {
        let options: Options = if opts.is_nil() {
            Options::default()
        } else {
            from_view(opts).map_err(|error| error.context("argument 2"))?
        };
        let tls = match opts.get("tls") {
            Some(tls) if !tls.is_nil() => Some(read_tls(tls)?),
            _ => None,
        };
        let place = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Place::Postgres(server(cx, url, tls, &POSTGRES)?),
            Some("mysql" | "mariadb") => Place::MySql(server(cx, url, tls, &MYSQL)?),
            Some("sqlite") => {
                if tls.is_some() {
                    return Err(Error::argument(
                        "option `tls`: SQLite's databases are files",
                    ));
                }
                Place::Sqlite(file(url)?)
            }
            scheme => {
                const KNOWN: [&str; 5] = ["postgres", "postgresql", "mysql", "mariadb", "sqlite"];
                let error = Error::argument(
                    "argument 1: expected a URL that begins with postgres://, mysql://, mariadb:// or sqlite:",
                );
                return Err(match did_you_mean(scheme.unwrap_or_default(), KNOWN) {
                    Some(near) => error.hint(format!("did you mean `{near}:`?")),
                    None => error,
                });
            }
        };
        let most = match &place {
            // Each connection would be a database of its own.
            Place::Sqlite(File { path: None, .. }) => 1,
            Place::Sqlite(_) => 4,
            _ => 10,
        };
        let max_connections = match options.max_connections {
            None => most,
            Some(0) => {
                return Err(Error::argument(
                    "option `max_connections`: expected at least 1, got 0",
                ));
            }
            Some(count)
                if count > 1 && matches!(&place, Place::Sqlite(File { path: None, .. })) =>
            {
                return Err(Error::argument(format!(
                    "option `max_connections`: a database in memory has one connection, got {count}"
                )));
            }
            Some(count) => count as usize,
        };
        Ok(Self {
            place,
            max_connections,
            timeout: match options.timeout {
                Some(value) => seconds("timeout", value)?,
                None => Duration::from_secs(30),
            },
        })
    }
}

/// How the kinds of server differ in their URLs.
struct Dialect {
    port: u16,
    /// Parameters of the URL, with what we call them.
    parameters: &'static [(&'static str, Parameter)],
    socket: fn(&str, u16) -> PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameter {
    Mode,
    Ca,
    Certificate,
    Key,
    Host,
    Port,
    User,
    Password,
    Database,
    ApplicationName,
    SessionOptions,
}

const POSTGRES: Dialect = Dialect {
    port: 5432,
    parameters: &[
        ("sslmode", Parameter::Mode),
        ("sslrootcert", Parameter::Ca),
        ("sslcert", Parameter::Certificate),
        ("sslkey", Parameter::Key),
        ("host", Parameter::Host),
        ("port", Parameter::Port),
        ("user", Parameter::User),
        ("password", Parameter::Password),
        ("dbname", Parameter::Database),
        ("application_name", Parameter::ApplicationName),
        ("options", Parameter::SessionOptions),
    ],
    socket: |folder, port| PathBuf::from(folder).join(format!(".s.PGSQL.{port}")),
};

const MYSQL: Dialect = Dialect {
    port: 3306,
    parameters: &[
        ("ssl-mode", Parameter::Mode),
        ("sslmode", Parameter::Mode),
        ("ssl-ca", Parameter::Ca),
        ("ssl-cert", Parameter::Certificate),
        ("ssl-key", Parameter::Key),
        ("socket", Parameter::Host),
    ],
    socket: |path, _| PathBuf::from(path),
};

fn server(cx: &Cx, text: &str, tls: Option<TlsOptions>, dialect: &Dialect) -> Result<Server> {
    let url = parse(text)?;
    let decoded = |what: &str, text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| Error::argument(format!("argument 1: the {what} of the URL is not UTF-8")))
    };
    let mut host = decoded("host", url.host_str().unwrap_or_default())?;
    let mut port = url.port();
    let mut user = decoded("user", url.username())?;
    let mut password = match url.password() {
        Some(password) => Some(decoded("password", password)?),
        None => None,
    };
    let mut database = decoded("database", url.path().trim_start_matches('/'))?;
    let mut application_name = "assay".to_owned();
    let mut options = None;
    let mut from_url = TlsOptions::default();
    for (name, value) in url.query_pairs() {
        let value = value.into_owned();
        let known = dialect.parameters.iter().find(|(known, _)| *known == name);
        match known.map(|(_, parameter)| parameter) {
            Some(Parameter::Mode) => from_url.mode = Some(value),
            Some(Parameter::Ca) => from_url.ca_cert = Some(value),
            Some(Parameter::Certificate) => from_url.client_cert = Some(value),
            Some(Parameter::Key) => from_url.client_key = Some(value),
            Some(Parameter::Host) => host = value,
            Some(Parameter::Port) => {
                port = Some(value.parse().map_err(|_| {
                    Error::argument(format!(
                        "argument 1: the URL's parameter `port`: expected 1 to 65535, got `{value}`"
                    ))
                })?);
            }
            Some(Parameter::User) => user = value,
            Some(Parameter::Password) => password = Some(value),
            Some(Parameter::Database) => database = value,
            Some(Parameter::ApplicationName) => application_name = value,
            Some(Parameter::SessionOptions) => options = Some(value),
            None => {
                return Err(unknown_parameter(
                    &name,
                    dialect.parameters.iter().map(|(name, _)| *name),
                ));
            }
        }
    }
    if user.is_empty() {
        return Err(Error::argument("argument 1: the URL names no user")
            .hint(format!("{}://user:password@host/database", url.scheme())));
    }
    if [&user, &database, &application_name]
        .into_iter()
        .chain(&options)
        .any(|text| text.contains('\0'))
    {
        return Err(Error::argument("argument 1: the URL holds a zero byte"));
    }
    let port = port.unwrap_or(dialect.port);
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "" => Host::Name("localhost".into()),
        path if path.starts_with('/') => Host::Socket((dialect.socket)(path, port)),
        name => Host::Name(name.to_owned()),
    };
    let (place, permission, target) = match &host {
        Host::Name(name) if name.contains(':') => (
            format!("[{name}]:{port}"),
            "net.connect",
            format!("[{name}]:{port}"),
        ),
        Host::Name(name) => (
            format!("{name}:{port}"),
            "net.connect",
            format!("{name}:{port}"),
        ),
        // A socket is a file that is read and written.
        Host::Socket(path) => (
            path.display().to_string(),
            "fs.write",
            path.display().to_string(),
        ),
    };
    let shown = format!("{}://{user}@{place}/{database}", url.scheme());
    cx.require(permission, &target)?;
    let tls = make_tls(cx, tls.unwrap_or(from_url), &host)?;
    Ok(Server {
        host,
        port,
        user,
        password,
        database: Some(database).filter(|name| !name.is_empty()),
        tls,
        application_name,
        options,
        shown,
    })
}

fn file(text: &str) -> Result<File> {
    let rest = text.strip_prefix("sqlite:").unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Error::argument("argument 1: the path of the URL is not UTF-8"))?;
    let mut file = File {
        path: (path != ":memory:").then(|| PathBuf::from(&*path)),
        read_only: false,
        create: true,
        foreign_keys: true,
        journal_mode: None,
        shown: format!("sqlite:{path}"),
    };
    if path.is_empty() {
        return Err(Error::argument("argument 1: the URL names no file")
            .hint("sqlite:/path/to/file.db, or sqlite::memory:"));
    }
    let wrong = |name: &str, expected: &str, value: &str| {
        Error::argument(format!(
            "argument 1: the URL's parameter `{name}`: expected {expected}, got `{value}`"
        ))
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "mode" => match &*value {
                "ro" => (file.read_only, file.create) = (true, false),
                "rw" => (file.read_only, file.create) = (false, false),
                "rwc" => (file.read_only, file.create) = (false, true),
                other => return Err(wrong("mode", "`ro`, `rw` or `rwc`", other)),
            },
            "foreign_keys" => match &*value {
                "on" | "true" | "1" => file.foreign_keys = true,
                "off" | "false" | "0" => file.foreign_keys = false,
                other => return Err(wrong("foreign_keys", "`on` or `off`", other)),
            },
            "journal_mode" => match &*value.to_ascii_lowercase() {
                mode @ ("delete" | "truncate" | "persist" | "memory" | "wal") => {
                    file.journal_mode = Some(mode.to_owned());
                }
                _ => {
                    return Err(wrong(
                        "journal_mode",
                        "`delete`, `truncate`, `persist`, `memory` or `wal`",
                        &value,
                    ));
                }
            },
            other => {
                return Err(unknown_parameter(
                    other,
                    ["mode", "foreign_keys", "journal_mode"],
                ));
            }
        }
    }
    Ok(file)
}

fn parse(text: &str) -> Result<Url> {
    // `postgres://user@/database?host=/run/postgresql`: a name may be left out, which `Url` refuses.
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    let with_name = match text[..end].ends_with('@') {
        true => format!("{}localhost{}", &text[..end], &text[end..]),
        false => text.to_owned(),
    };
    Url::parse(&with_name).map_err(|error| {
        // The text holds a password.
        Error::argument(format!("argument 1: not a URL: {error}")).hint(
            "characters such as @ : / ? # in a user or password are percent-encoded: `%40` for `@`",
        )
    })
}

fn unknown_parameter<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Error {
    let error = Error::argument(format!(
        "argument 1: the URL has an unknown parameter `{name}`"
    ));
    match did_you_mean(name, known.clone()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<_> = known.into_iter().collect();
            error.hint(format!("known are: {}", known.join(", ")))
        }
    }
}

fn read_tls(view: View<'_>) -> Result<TlsOptions> {
    if let Some(mode) = view.as_bytes() {
        return Ok(TlsOptions {
            mode: Some(String::from_utf8_lossy(mode).into_owned()),
            ..TlsOptions::default()
        });
    }
    match view.to_value()? {
        Value::Bool(on) => Ok(TlsOptions {
            mode: Some(if on { "verify-full" } else { "disable" }.into()),
            ..TlsOptions::default()
        }),
        _ => from_view(view).map_err(|error| error.context("option `tls`")),
    }
}

fn make_tls(cx: &Cx, options: TlsOptions, host: &Host) -> Result<Tls> {
    let mode = match options.mode.as_deref() {
        // A socket of this machine's has nobody in between.
        None if matches!(host, Host::Socket(_)) => Mode::Disable,
        None if options.ca_cert.is_some() => Mode::VerifyFull,
        None => Mode::Prefer,
        Some(text) => Mode::read(text)?,
    };
    let ca = match &options.ca_cert {
        Some(text) => {
            let pem = Pem::read(cx, "ca_cert", text)?;
            pem.roots()?;
            Some(pem)
        }
        None => None,
    };
    let identity = match (&options.client_cert, &options.client_key) {
        (Some(certificate), Some(key)) => {
            let pair = (
                Pem::read(cx, "client_cert", certificate)?,
                Pem::read(cx, "client_key", key)?,
            );
            assay_plugin::tls::Identity::new(&pair.0, &pair.1)?;
            Some(pair)
        }
        (None, None) => None,
        (Some(_), None) => return Err(Error::argument("option `client_cert`: needs `client_key`")),
        (None, Some(_)) => return Err(Error::argument("option `client_key`: needs `client_cert`")),
    };
    if ca.is_some() && !matches!(mode, Mode::VerifyCa | Mode::VerifyFull) {
        return Err(Error::argument(format!(
            "option `ca_cert`: the mode `{}` verifies nothing",
            mode.name()
        ))
        .hint("set `mode = \"verify-full\"`, or leave it out"));
    }
    Ok(Tls { mode, ca, identity })
}
