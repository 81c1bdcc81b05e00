//! What went wrong, for scripts to branch on.
//!
//! Connecting fails with the phase as kind and the address, without its password, in the message.
//! What a server says of a statement keeps the server's words, its SQLSTATE (SQLite: its code), and
//! the fields that it named.

use std::error::Error as StdError;
use std::io;

use assay_plugin::{Error, Value};
use sqlx::error::{DatabaseError, ErrorKind};

/// What failed while connecting: `connect: connection refused (postgres://app@db:5432/app)`.
pub fn connecting(phase: &'static str, reason: impl std::fmt::Display, shown: &str) -> Error {
    Error::new(phase, format!("{phase}: {reason} ({shown})"))
}

/// From an I/O error while connecting. rustls hides its own inside.
pub fn io(error: &io::Error, shown: &str) -> Error {
    if let Some(tls) = inside::<assay_plugin::tls::rustls::Error>(error) {
        return tls_error(tls, shown);
    }
    connecting("connect", reason(error), shown)
}

/// A handshake that failed.
pub fn tls_error(error: &assay_plugin::tls::rustls::Error, shown: &str) -> Error {
    let (what, hint) = assay_plugin::tls::explain(error, "`ca_cert` in the option `tls`");
    let error = connecting("tls", what, shown);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The connection was lost while a statement ran.
pub fn lost(reason: impl std::fmt::Display) -> Error {
    Error::new("connection", format!("the connection was lost: {reason}"))
        .hint("whether the statement took effect is not known; the next one gets a new connection")
}

/// The server broke the protocol, or speaks another one.
pub fn protocol(what: impl std::fmt::Display) -> Error {
    Error::new("protocol", format!("protocol: {what}"))
}

/// The kind of a statement's failure, from its SQLSTATE.
pub fn kind(sqlstate: &str) -> &'static str {
    match sqlstate {
        "23505" => "unique",
        "23503" => "foreign_key",
        "23502" => "not_null",
        "23514" => "check",
        "23P01" => "exclusion",
        "40001" | "40P01" => "serialization",
        "57014" => "timeout",
        _ => "sql",
    }
}

/// From sqlx, of a connection that was made.
pub fn statement(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(error) => database(&*error),
        sqlx::Error::Io(error) => lost(reason(&error)),
        sqlx::Error::WorkerCrashed => lost("its thread ended"),
        sqlx::Error::Protocol(what) => protocol(what),
        other => Error::new("sql", other.to_string()),
    }
}

/// What MySQL, MariaDB and SQLite say.
pub fn database(error: &dyn DatabaseError) -> Error {
    let code = error.code().unwrap_or_default();
    let mysql = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
    let kind = match (error.kind(), mysql.map(|error| error.number())) {
        (ErrorKind::UniqueViolation, _) => "unique",
        (ErrorKind::ForeignKeyViolation, _) => "foreign_key",
        (ErrorKind::NotNullViolation, _) => "not_null",
        (ErrorKind::CheckViolation, _) => "check",
        (ErrorKind::ExclusionViolation, _) => "exclusion",
        // A deadlock; a lock that took too long; a statement that took too long; killed.
        (_, Some(1213 | 1020)) => "serialization",
        (_, Some(1205 | 1969 | 3024 | 1317)) => "timeout",
        (_, Some(_)) => "sql",
        // SQLITE_BUSY and SQLITE_LOCKED, whatever extends them.
        (_, None) => match code.parse::<u32>().unwrap_or_default() & 0xff {
            5 | 6 => "busy",
            9 => "timeout",
            _ => "sql",
        },
    };
    let out = match mysql {
        Some(mysql) => {
            let number = mysql.number();
            let state = mysql.code().unwrap_or("HY000");
            Error::new(
                kind,
                format!("{} (SQLSTATE {state}, {number})", mysql.message()),
            )
            .field("sqlstate", Value::from(state))
            .field("code", Value::Int(number.into()))
        }
        None => Error::new(kind, format!("{} (code {code})", error.message()))
            .field("code", code.parse().map(Value::Int).unwrap_or_default()),
    };
    match kind {
        "busy" => out.hint(
            "another connection holds the database; the option `timeout` says how long to wait",
        ),
        "serialization" => out.hint("run the transaction again"),
        _ => out,
    }
}

/// An I/O error as a fragment: `connection refused`.
pub fn reason(error: &io::Error) -> String {
    let text = match error.get_ref() {
        Some(inner) => inner.to_string(),
        None => error.to_string(),
    };
    let text = text
        .split_once(" (os error")
        .map_or(&*text, |(text, _)| text);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// The error of a type that one of another type wraps. `io::Error::source` skips what it wraps.
pub fn inside<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        at = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
