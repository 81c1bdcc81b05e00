//! MySQL and MariaDB, over sqlx's driver.
//!
//! Statements with rows or parameters are prepared, so that their values come in binary, of which
//! every type is read here: sqlx's own conversions refuse a whole row for what they do not know.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assay_plugin::{Cx, Error, Result, Value};
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Decode, Either, Executor,
    MySql as Db, Row, SqlSafeStr, Statement as _, TypeInfo,
};

use crate::address::{Host, Server};
use crate::failure;
use crate::json;
use crate::statement::{Done, Mode, Sink, Statement, refused, row};
use crate::tls::Mode as TlsMode;

/// A connection.
pub struct MySql {
    connection: MySqlConnection,
    id: u64,
    server: Arc<Server>,
    cx: Cx,
    is_broken: bool,
    /// The server rolled the transaction back on its own.
    has_failed: bool,
}

/// How long asking whether a connection lives, or ending one, may take.
const SHORT: Duration = Duration::from_secs(5);

impl MySql {
    pub async fn connect(cx: &Cx, server: Arc<Server>) -> Result<Self> {
        let mut connection = dial(cx, &server).await?;
        let id: u64 = sqlx::query_scalar("SELECT CONNECTION_ID()")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| refused_by(error, &server.shown))?;
        Ok(Self {
            connection,
            id,
            server,
            cx: cx.clone(),
            is_broken: false,
            has_failed: false,
        })
    }

    pub fn is_usable(&self) -> bool {
        !self.is_broken
    }

    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub async fn ping(&mut self) -> bool {
        !self.is_broken
            && matches!(
                tokio::time::timeout(SHORT, self.connection.ping()).await,
                Ok(Ok(()))
            )
    }

    pub async fn close(self) {
        let _ = tokio::time::timeout(SHORT, self.connection.close()).await;
    }

    /// Ends the connection on the server, with the statement that it runs.
    pub async fn kill(self) {
        let sql = format!("KILL {}", self.id);
        // The script does not wait for this any more; what is left is to drop the connection.
        let _ = tokio::time::timeout(SHORT, on_another(&self.cx, &self.server, sql)).await;
    }

    pub async fn run(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        // `BEGIN` starts anew.
        if statement.sql == "BEGIN" || statement.sql == "ROLLBACK" {
            self.has_failed = false;
        }
        let result = self.run_on(statement, sink).await;
        if let Err(error) = &result {
            self.is_broken |= matches!(error.kind(), "connection" | "protocol");
            // A deadlock ends the transaction; what follows would be outside of any.
            self.has_failed |= error.kind() == "serialization";
        }
        result
    }

    async fn run_on(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        let sql = AssertSqlSafe(&*statement.sql).into_sql_str();
        let is_plain = statement.mode == Mode::Execute && statement.params.is_empty();
        let mut results = if is_plain {
            (&mut self.connection).fetch_many(sqlx::raw_sql(sql))
        } else {
            let prepared = (&mut self.connection).prepare(sql).await.map_err(|error| {
                let error = failure::statement(error);
                match error.field_value("code") {
                    Some(Value::Int(1295)) => {
                        error.hint("db.execute, without parameters, can run it")
                    }
                    _ => error,
                }
            })?;
            let count = match prepared.parameters() {
                Some(Either::Right(count)) => count,
                Some(Either::Left(types)) => types.len(),
                None => statement.params.len(),
            };
            let params = statement.params_for(count)?;
            let mut arguments = MySqlArguments::default();
            for (index, param) in params.iter().enumerate() {
                bind(&mut arguments, param).map_err(|what| refused(index + 1, what))?;
            }
            (&mut self.connection).fetch_many(sqlx::query_with(prepared.into_sql(), arguments))
        };
        let mut done = Done::default();
        // A procedure may answer with several sets of rows: the first one is meant.
        let mut is_first = true;
        let mut has_rows = false;
        while let Some(result) = results.try_next().await.map_err(failure::statement)? {
            match result {
                Either::Left(result) => {
                    done.rows_affected += result.rows_affected();
                    done.last_insert_id = Some(result.last_insert_id())
                        .filter(|&id| id != 0)
                        .or(done.last_insert_id);
                    is_first &= !has_rows;
                }
                Either::Right(found) if is_first && !matches!(sink, Sink::Discard) => {
                    has_rows = true;
                    if !sink.row(decode(&found, statement.nulls)).await {
                        drop(results);
                        self.stop_rows().await;
                        return Ok(done);
                    }
                }
                Either::Right(_) => has_rows = true,
            }
        }
        Ok(done)
    }

    /// What is left of rows that nobody wants must be read before the next statement.
    async fn stop_rows(&mut self) {
        let sql = format!("KILL QUERY {}", self.id);
        let stopped = async {
            on_another(&self.cx, &self.server, sql).await?;
            self.connection.ping().await.map_err(failure::statement)
        };
        // The statement that was killed may be what answers.
        match tokio::time::timeout(SHORT, stopped).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() != "connection" => {}
            _ => self.is_broken = true,
        }
    }
}

async fn on_another(cx: &Cx, server: &Server, sql: String) -> Result<()> {
    let mut other = dial(cx, server).await?;
    let result = (&mut other)
        .execute(sqlx::raw_sql(AssertSqlSafe(sql).into_sql_str()))
        .await;
    let _ = other.close().await;
    result.map(drop).map_err(failure::statement)
}

/// Connects to one of the addresses that the script may connect to.
async fn dial(cx: &Cx, server: &Server) -> Result<MySqlConnection> {
    let mut options = MySqlConnectOptions::new()
        .port(server.port)
        .username(&server.user)
        // As the server is configured: what `||` means is no matter of ours.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        // So that a TIMESTAMP is in UTC.
        .timezone(Some("+00:00".into()))
        .ssl_mode(match server.tls.mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        })
        .disable_statement_logging();
    if let Some(password) = &server.password {
        options = options.password(password);
    }
    if let Some(database) = &server.database {
        options = options.database(database);
    }
    if let Some(ca) = &server.tls.ca {
        options = options.ssl_ca_from_pem(ca.text().to_vec());
    }
    if let Some((certificate, key)) = &server.tls.identity {
        options = options
            .ssl_client_cert_from_pem(certificate.text())
            .ssl_client_key_from_pem(key.text());
    }
    let hosts: Vec<String> = match &server.host {
        Host::Socket(path) => {
            options = options.socket(Path::new(path));
            vec!["localhost".into()]
        }
        Host::Name(name) => {
            let addresses = assay_plugin::net::resolve(cx, name, server.port)
                .await
                .map_err(|error| match error.kind() {
                    "dns" => failure::connecting("dns", error.message(), &server.shown),
                    _ => error,
                })?;
            if server.tls.mode == TlsMode::VerifyFull {
                // sqlx looks for the name in the certificate that it connects to, so it has to look the
                // name up again. Where that leads, nobody else has such a certificate.
                vec![name.clone()]
            } else {
                addresses
                    .iter()
                    .map(|address| address.ip().to_string())
                    .collect()
            }
        }
    };
    let mut failed = None;
    for host in hosts {
        match options.clone().host(&host).connect().await {
            Ok(connection) => return Ok(connection),
            Err(error @ sqlx::Error::Io(_)) => failed = Some(error),
            Err(error) => return Err(refused_by(error, &server.shown)),
        }
    }
    Err(match failed {
        Some(error) => refused_by(error, &server.shown),
        None => failure::connecting("dns", "the name has no address", &server.shown),
    })
}

/// Why there is no connection.
fn refused_by(error: sqlx::Error, shown: &str) -> Error {
    match error {
        sqlx::Error::Io(error) => failure::io(&error, shown),
        sqlx::Error::Tls(error) => {
            match failure::inside::<assay_plugin::tls::rustls::Error>(&*error) {
                Some(tls) => failure::tls_error(tls, shown),
                None => failure::connecting("tls", &error, shown),
            }
        }
        sqlx::Error::Database(error) => {
            let error = failure::database(&*error);
            let code = error.field_value("code").cloned().unwrap_or_default();
            let phase = match code {
                // Access denied: to the server, to the database, for want of a plugin.
                Value::Int(1044 | 1045 | 1698 | 3118 | 4151) => "auth",
                _ => "connect",
            };
            let state = error.field_value("sqlstate").cloned().unwrap_or_default();
            let out = failure::connecting(phase, error.message(), shown)
                .field("sqlstate", state)
                .field("code", code.clone());
            match code {
                Value::Int(1045) => out
                    .hint("the user or the password is wrong, or the user may not come from here"),
                Value::Int(1049) => {
                    out.hint("the URL's path is the database: mysql://user@host/database")
                }
                _ => out,
            }
        }
        sqlx::Error::Protocol(what) => failure::connecting("protocol", what, shown),
        // The password would have to be encrypted by RSA, which is left out (Cargo.toml).
        sqlx::Error::Configuration(what) if what.to_string().contains("RSA") => {
            failure::connecting("auth", "the server takes the password over TLS only", shown)
                .hint("`tls = \"require\"` or better")
        }
        other => failure::connecting("connect", other, shown),
    }
}

fn bind(arguments: &mut MySqlArguments, value: &Value) -> Result<(), String> {
    let added = match value {
        Value::Nil | Value::Null => arguments.add(None::<&str>),
        Value::Bool(bool) => arguments.add(*bool),
        Value::Int(int) => arguments.add(*int),
        Value::Float(float) if float.is_finite() => arguments.add(*float),
        Value::Float(float) => {
            return Err(format!(
                "the number {float}, which the server does not have"
            ));
        }
        Value::Bytes(bytes) => return bind_bytes(arguments, bytes),
        Value::Buf(bytes) => return bind_bytes(arguments, bytes),
        Value::List(_) | Value::Map(_) => {
            let text = json::encode(value)?;
            return bind_bytes(arguments, &text);
        }
        Value::Func(_) => return Err("a function".into()),
        Value::Object(object) => return Err(format!("a {}", object.type_name())),
    };
    added.map_err(|error| error.to_string())
}

fn bind_bytes(arguments: &mut MySqlArguments, bytes: &[u8]) -> Result<(), String> {
    // Text has a character set, which a JSON column insists on; bytes have none.
    match std::str::from_utf8(bytes) {
        Ok(text) => arguments.add(text),
        Err(_) => arguments.add(bytes),
    }
    .map_err(|error| error.to_string())
}

fn decode(found: &MySqlRow, nulls: bool) -> Value {
    let cells = found.columns().iter().enumerate().map(|(at, column)| {
        let bytes = found
            .try_get_raw(at)
            .ok()
            .and_then(|value| <&[u8] as Decode<Db>>::decode(value).ok());
        let value = bytes.map_or(Value::Nil, |bytes| {
            cell(bytes, column.type_info().name(), nulls)
        });
        (column.name().as_bytes(), value)
    });
    row(cells, nulls)
}

/// A value of the binary protocol.
fn cell(bytes: &[u8], kind: &str, nulls: bool) -> Value {
    match kind {
        "BOOLEAN" => match bytes {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            other => Value::Int(signed(other)),
        },
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
        | "BIGINT UNSIGNED" | "YEAR" => unsigned(bytes.iter().rev()),
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Value::Int(signed(bytes)),
        "BIT" => unsigned(bytes.iter()),
        "FLOAT" => match bytes.try_into() {
            // 1.1 is nearer to what was stored than its neighbour among the doubles, 1.10000002384.
            Ok(four) => f32::from_le_bytes(four)
                .to_string()
                .parse()
                .map_or(Value::Nil, Value::Float),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        "DOUBLE" => match bytes.try_into() {
            Ok(eight) => Value::Float(f64::from_le_bytes(eight)),
            Err(_) => Value::Bytes(bytes.to_vec()),
        },
        "DATE" | "DATETIME" | "TIMESTAMP" => Value::from(&*date(bytes, kind)),
        "TIME" => Value::from(&*time(bytes)),
        "JSON" => json::decode(bytes, nulls),
        _ => Value::Bytes(bytes.to_vec()),
    }
}

fn signed(bytes: &[u8]) -> i64 {
    let mut out = [if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        0xff
    } else {
        0
    }; 8];
    let count = bytes.len().min(8);
    out[..count].copy_from_slice(&bytes[..count]);
    i64::from_le_bytes(out)
}

/// The highest byte first. What Lua cannot hold becomes text.
fn unsigned<'a>(bytes: impl Iterator<Item = &'a u8>) -> Value {
    let number = bytes.fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number).map_or_else(|_| Value::from(&*number.to_string()), Value::Int)
}

/// A length, year, month, day, and if there is one the time.
fn date(bytes: &[u8], kind: &str) -> String {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let year = u16::from_le_bytes([at(1), at(2)]);
    let date = format!("{year:04}-{:02}-{:02}", at(3), at(4));
    if kind == "DATE" {
        return date;
    }
    // A TIMESTAMP is in UTC, but a zone behind it is what the server would not take back.
    format!(
        "{date}T{:02}:{:02}:{:02}{}",
        at(5),
        at(6),
        at(7),
        fraction(bytes.get(8..12))
    )
}

/// A length, a sign, days, hours, minutes, seconds.
fn time(bytes: &[u8]) -> String {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let days = u32::from_le_bytes([at(2), at(3), at(4), at(5)]);
    let hours = u64::from(days) * 24 + u64::from(at(6));
    let sign = if at(1) == 0 { "" } else { "-" };
    format!(
        "{sign}{hours:02}:{:02}:{:02}{}",
        at(7),
        at(8),
        fraction(bytes.get(9..13))
    )
}

fn fraction(bytes: Option<&[u8]>) -> String {
    let micros = bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    if micros == 0 {
        return String::new();
    }
    format!(".{micros:06}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width() {
        assert_eq!(cell(&[0xff], "TINYINT", false), Value::Int(-1));
        assert_eq!(cell(&[0xff], "TINYINT UNSIGNED", false), Value::Int(255));
        assert_eq!(
            cell(&[0, 0, 0, 0x80], "INT", false),
            Value::Int(i64::from(i32::MIN))
        );
        assert_eq!(
            cell(&[0xff; 8], "BIGINT UNSIGNED", false),
            Value::from("18446744073709551615")
        );
        assert_eq!(cell(&[1, 0], "BIT", false), Value::Int(256));
        assert_eq!(
            cell(&1.1f32.to_le_bytes(), "FLOAT", false),
            Value::Float(1.1)
        );
        assert_eq!(cell(&[2], "BOOLEAN", false), Value::Int(2));
    }

    #[test]
    fn dates_and_times() {
        let day = [11, 0xe8, 7, 1, 31, 12, 34, 56, 0x08, 0x0a, 0x0c, 0];
        assert_eq!(date(&day, "DATE"), "2024-01-31");
        assert_eq!(date(&day, "DATETIME"), "2024-01-31T12:34:56.789");
        assert_eq!(date(&[0], "DATETIME"), "0000-00-00T00:00:00");
        assert_eq!(time(&[8, 1, 34, 0, 0, 0, 22, 59, 59]), "-838:59:59");
        assert_eq!(time(&[0]), "00:00:00");
    }
}
