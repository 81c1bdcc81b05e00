//! PostgreSQL, over `postgres-protocol`: its messages and SCRAM; the conversation is here.
//!
//! Values travel as text, both ways: it is what the server defines for every type there is, those of
//! extensions and those that scripts create included, so nothing has to be known about a type to
//! pass it on. Only `bytea` parameters are sent in binary, since their text is twice as long.
//!
//! Statements have no name on the server (and so nothing to go stale when a table changes, and nothing
//! to get lost behind PgBouncer). Most take one round trip. Only where a parameter is written differently
//! for different types (a table, a string that is no plain text) the server is asked for them first.

mod session;
mod types;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assay_plugin::{Cx, Error, Result, Value};
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, ErrorFields, Message};
use postgres_protocol::message::frontend;

use crate::address::Server;
use crate::failure;
use crate::statement::{Done, Mode, Sink, Statement, refused, row};
use session::Session;
use types::{Parameter, Type};

/// A connection.
pub struct Postgres {
    session: Session,
    server: Arc<Server>,
    known: Arc<Known>,
    cx: Cx,
}

/// What connections of one pool know together.
#[derive(Default)]
pub struct Known {
    types: Mutex<HashMap<u32, Type>>,
}

/// What the server inferred for a statement.
struct Described {
    params: Vec<u32>,
    columns: Vec<u32>,
}

/// How many rows are asked for at a time when they are read one by one.
const FETCH: i32 = 128;

impl Postgres {
    pub async fn connect(cx: &Cx, server: Arc<Server>, known: Arc<Known>) -> Result<Self> {
        Ok(Self {
            session: Session::open(cx, &server).await?,
            server,
            known,
            cx: cx.clone(),
        })
    }

    /// Whether it can be used again.
    pub fn is_alive(&mut self) -> bool {
        self.session.is_alive()
    }

    /// Whether a statement failed in the transaction that is open, so that it can only be rolled back.
    pub fn has_failed(&self) -> bool {
        self.session.status == b'E'
    }

    pub async fn close(mut self) {
        self.session.terminate().await;
    }

    /// Tells the server to stop what this connection runs. The connection is not to be used again.
    pub async fn cancel(self) {
        let Some((process, key)) = self.session.key else {
            return;
        };
        let asked = async {
            let mut canceller = Session::dial(&self.cx, &self.server).await?;
            canceller.cancel(process, key).await
        };
        // The script does not wait for this any more; what is left is to drop the connection.
        let _ = tokio::time::timeout(CANCEL, asked).await;
    }

    pub async fn run(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        if statement.mode == Mode::Execute && statement.params.is_empty() {
            return self.simple(&statement.sql).await;
        }
        let is_utf8 = self.session.is_utf8;
        let plain = |value: &Value| types::is_plain(value, is_utf8);
        if statement.mode != Mode::Each && statement.params.iter().all(plain) {
            let parameters = encoded(&statement.params, &mut |_| Type::Text)?;
            return self.extended(statement, &[], &parameters, sink).await;
        }
        let Described {
            params: oids,
            columns,
        } = self.describe(&statement.sql).await?;
        let params = statement.params_for(oids.len())?;
        let is_table = |value: &Value| matches!(value, Value::List(_) | Value::Map(_));
        let of_tables = params
            .iter()
            .zip(&oids)
            .filter(|(value, _)| is_table(value));
        let mut wanted: Vec<u32> = of_tables.map(|(_, oid)| *oid).collect();
        if statement.mode == Mode::Each {
            wanted.extend(columns);
        }
        self.learn(&wanted).await?;
        let parameters = encoded(params, &mut |index| self.known.get(oids[index]))?;
        self.extended(statement, &oids, &parameters, sink).await
    }

    /// Parses, binds and runs in one go.
    async fn extended(
        &mut self,
        statement: &Statement,
        oids: &[u32],
        parameters: &[Parameter<'_>],
        sink: &mut Sink<'_>,
    ) -> Result<Done> {
        let by_portions = statement.mode == Mode::Each;
        let formats = parameters
            .iter()
            .map(|parameter| i16::from(parameter.is_binary()));
        let out = &mut self.session.out;
        frontend::parse("", &statement.sql, oids.iter().copied(), out).map_err(unsendable)?;
        frontend::bind(
            "",
            "",
            formats,
            parameters,
            |parameter, out| match parameter.bytes() {
                Some(bytes) => {
                    out.extend_from_slice(bytes);
                    Ok(IsNull::No)
                }
                None => Ok(IsNull::Yes),
            },
            [0],
            out,
        )
        .map_err(|error| match error {
            frontend::BindError::Conversion(error) => failure::protocol(error),
            frontend::BindError::Serialization(error) => unsendable(error),
        })?;
        frontend::describe(b'P', "", out).map_err(unsendable)?;
        if by_portions {
            frontend::execute("", FETCH, out).map_err(unsendable)?;
            frontend::flush(out);
        } else {
            frontend::execute("", 0, out).map_err(unsendable)?;
            frontend::sync(out);
        }
        self.session.flush().await?;
        let result = self.rows(statement, by_portions, sink).await;
        if by_portions && !self.session.is_broken() {
            frontend::sync(&mut self.session.out);
            self.session.flush().await?;
            self.ready().await?;
        }
        // The server's words on parameters it did not get say nothing of the script's.
        match result {
            Err(error) if oids.is_empty() && has_state(&error, "08P01") => {
                let count = self.describe(&statement.sql).await?.params.len();
                Err(statement.params_for(count).err().unwrap_or(error))
            }
            result => result,
        }
    }

    /// Reads the answer to `extended`, up to its end or (by portions) to what needs a Sync.
    async fn rows(
        &mut self,
        statement: &Statement,
        by_portions: bool,
        sink: &mut Sink<'_>,
    ) -> Result<Done> {
        let mut done = Done::default();
        let mut columns: Vec<(Vec<u8>, u32)> = Vec::new();
        let mut types: Vec<Type> = Vec::new();
        // Rows of types that must be asked for first, which cannot be done now.
        let mut raw: Vec<DataRowBody> = Vec::new();
        let mut is_known = true;
        let mut failed = None;
        loop {
            match self.session.next().await? {
                Message::RowDescription(body) => {
                    columns = body
                        .fields()
                        .map(|field| Ok((field.name().as_bytes().to_vec(), field.type_oid())))
                        .collect()
                        .map_err(failure::protocol)?;
                    let known: Vec<_> = columns
                        .iter()
                        .map(|(_, oid)| self.known.find(*oid))
                        .collect();
                    is_known = known.iter().all(Option::is_some) || by_portions;
                    types = known.into_iter().map(Option::unwrap_or_default).collect();
                }
                Message::DataRow(body) if !is_known => raw.push(body),
                Message::DataRow(body) => {
                    let row = decode(&body, &columns, &types, statement.nulls)?;
                    if !sink.row(row).await && by_portions {
                        return Ok(done);
                    }
                }
                Message::PortalSuspended => {
                    frontend::execute("", FETCH, &mut self.session.out).map_err(unsendable)?;
                    frontend::flush(&mut self.session.out);
                    self.session.flush().await?;
                }
                Message::CommandComplete(body) => {
                    done.rows_affected += affected(body.tag().map_err(failure::protocol)?);
                    if by_portions {
                        return failed.map_or(Ok(done), Err);
                    }
                }
                Message::EmptyQueryResponse if by_portions => return Ok(done),
                Message::CopyInResponse(_) => {
                    frontend::copy_fail("COPY is not supported", &mut self.session.out)
                        .map_err(unsendable)?;
                    // The one that was sent went down in the copied data.
                    if !by_portions {
                        frontend::sync(&mut self.session.out);
                    }
                    self.session.flush().await?;
                }
                Message::CopyOutResponse(_) => {
                    failed.get_or_insert_with(|| Error::new("sql", "COPY is not supported"));
                }
                Message::ErrorResponse(body) => {
                    let error = server_error(&mut body.fields(), &statement.sql);
                    if by_portions {
                        return Err(error);
                    }
                    failed.get_or_insert(error);
                }
                Message::ReadyForQuery(body) => {
                    self.session.status = body.status();
                    break;
                }
                _ => {}
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if !is_known {
            let oids: Vec<u32> = columns.iter().map(|(_, oid)| *oid).collect();
            self.learn(&oids).await?;
            types = oids.iter().map(|oid| self.known.get(*oid)).collect();
            for body in raw {
                sink.row(decode(&body, &columns, &types, statement.nulls)?)
                    .await;
            }
        }
        Ok(done)
    }

    /// Several statements at once, without parameters, whose rows nobody wants.
    async fn simple(&mut self, sql: &str) -> Result<Done> {
        frontend::query(sql, &mut self.session.out).map_err(unsendable)?;
        self.session.flush().await?;
        let mut done = Done::default();
        let mut failed = None;
        loop {
            match self.session.next().await? {
                Message::CommandComplete(body) => {
                    done.rows_affected += affected(body.tag().map_err(failure::protocol)?);
                }
                Message::CopyInResponse(_) => {
                    frontend::copy_fail("COPY is not supported", &mut self.session.out)
                        .map_err(unsendable)?;
                    self.session.flush().await?;
                }
                Message::CopyOutResponse(_) => {
                    failed.get_or_insert_with(|| Error::new("sql", "COPY is not supported"));
                }
                Message::ErrorResponse(body) => {
                    failed.get_or_insert_with(|| server_error(&mut body.fields(), sql));
                }
                Message::ReadyForQuery(body) => {
                    self.session.status = body.status();
                    break;
                }
                _ => {}
            }
        }
        failed.map_or(Ok(done), Err)
    }

    /// The types of a statement's parameters and columns.
    async fn describe(&mut self, sql: &str) -> Result<Described> {
        let out = &mut self.session.out;
        frontend::parse("", sql, [], out).map_err(unsendable)?;
        frontend::describe(b'S', "", out).map_err(unsendable)?;
        frontend::sync(out);
        self.session.flush().await?;
        let (mut params, mut columns) = (Vec::new(), Vec::new());
        let mut failed = None;
        loop {
            match self.session.next().await? {
                Message::ParameterDescription(body) => {
                    params = body.parameters().collect().map_err(failure::protocol)?;
                }
                Message::RowDescription(body) => {
                    columns = body
                        .fields()
                        .map(|field| Ok(field.type_oid()))
                        .collect()
                        .map_err(failure::protocol)?;
                }
                Message::ErrorResponse(body) => {
                    failed.get_or_insert_with(|| server_error(&mut body.fields(), sql));
                }
                Message::ReadyForQuery(body) => {
                    self.session.status = body.status();
                    break;
                }
                _ => {}
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(Described { params, columns })
    }

    /// Asks the catalogue for types that are not known yet, and what they are made of. What cannot be
    /// found out is text.
    async fn learn(&mut self, oids: &[u32]) -> Result<()> {
        /// Arrays of domains over arrays of domains.
        const DEPTH: usize = 8;
        let mut wanted: Vec<u32> = oids.to_vec();
        for _ in 0..DEPTH {
            wanted.retain(|oid| self.known.find(*oid).is_none());
            wanted.sort_unstable();
            wanted.dedup();
            if wanted.is_empty() || self.session.status == b'E' {
                break;
            }
            wanted = self.ask_types(&wanted).await?;
        }
        Ok(())
    }

    async fn ask_types(&mut self, oids: &[u32]) -> Result<Vec<u32>> {
        let list: Vec<String> = oids.iter().map(u32::to_string).collect();
        let sql = format!(
            "SELECT t.oid, t.typtype, t.typcategory = 'A' AND t.typlen = -1, t.typelem, t.typbasetype, e.typdelim, t.oid::regtype \
             FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem WHERE t.oid IN ({})",
            list.join(",")
        );
        frontend::query(&sql, &mut self.session.out).map_err(unsendable)?;
        self.session.flush().await?;
        let mut parts = Vec::new();
        let mut found = HashMap::new();
        loop {
            match self.session.next().await? {
                Message::DataRow(body) => {
                    let cells = cells(&body)?;
                    let text = |at: usize| -> &[u8] {
                        cells.get(at).copied().flatten().unwrap_or_default()
                    };
                    let number = |at: usize| -> u32 {
                        std::str::from_utf8(text(at))
                            .ok()
                            .and_then(|text| text.parse().ok())
                            .unwrap_or(0)
                    };
                    let kind = match (text(1), text(2)) {
                        (b"d", _) => Type::Domain(number(4)),
                        (_, b"t") => {
                            Type::Array(number(3), text(5).first().copied().unwrap_or(b','))
                        }
                        _ => Type::Text,
                    };
                    parts.extend(kind.part());
                    found.insert(number(0), kind);
                }
                // A server that has no such catalogue has no such types.
                Message::ErrorResponse(_) => {}
                Message::ReadyForQuery(body) => {
                    self.session.status = body.status();
                    break;
                }
                _ => {}
            }
        }
        let mut types = lock(&self.known.types);
        for oid in oids {
            types.insert(*oid, found.remove(oid).unwrap_or_default());
        }
        Ok(parts)
    }

    async fn ready(&mut self) -> Result<()> {
        loop {
            if let Message::ReadyForQuery(body) = self.session.next().await? {
                self.session.status = body.status();
                return Ok(());
            }
        }
    }
}

/// How long telling a server to stop may take.
pub const CANCEL: std::time::Duration = std::time::Duration::from_secs(5);

impl Known {
    fn find(&self, oid: u32) -> Option<Type> {
        self.at(oid, 0)
    }

    fn get(&self, oid: u32) -> Type {
        self.find(oid).unwrap_or_default()
    }

    /// The type with its parts filled in.
    fn at(&self, oid: u32, depth: usize) -> Option<Type> {
        if depth > 8 {
            return Some(Type::Text);
        }
        if let Some(built_in) = Type::built_in(oid) {
            return Some(built_in);
        }
        let kind = lock(&self.types).get(&oid).cloned()?;
        match kind {
            Type::Domain(base) => self.at(base, depth + 1),
            Type::Array(element, delimiter) => {
                let element = self.at(element, depth + 1)?;
                Some(Type::ArrayOf(Arc::new(element), delimiter))
            }
            kind => Some(kind),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unsendable(error: std::io::Error) -> Error {
    Error::argument(format!(
        "the statement cannot be sent: {}",
        failure::reason(&error)
    ))
}

fn cells(body: &DataRowBody) -> Result<Vec<Option<&[u8]>>> {
    let buffer = body.buffer();
    body.ranges()
        .map(|range| Ok(range.map(|range| &buffer[range])))
        .collect()
        .map_err(failure::protocol)
}

fn decode(
    body: &DataRowBody,
    columns: &[(Vec<u8>, u32)],
    types: &[Type],
    nulls: bool,
) -> Result<Value> {
    let cells = cells(body)?;
    let pairs = cells
        .iter()
        .zip(columns)
        .zip(types)
        .map(|((cell, (name, _)), kind)| {
            let value = cell.map_or(Value::Nil, |cell| types::decode(cell, kind, nulls));
            (name.as_slice(), value)
        });
    Ok(row(pairs, nulls))
}

/// `INSERT 0 5`, `UPDATE 5`, `CREATE TABLE`.
fn affected(tag: &str) -> u64 {
    match tag.split_once(' ') {
        Some(("SELECT", _)) => 0,
        Some((_, rest)) => rest
            .rsplit(' ')
            .next()
            .and_then(|count| count.parse().ok())
            .unwrap_or(0),
        None => 0,
    }
}

fn has_state(error: &Error, state: &str) -> bool {
    error.field_value("sqlstate").and_then(Value::as_str) == Some(state)
}

/// Parameters for types, by their position.
fn encoded<'a>(
    params: &'a [Value],
    kind: &mut dyn FnMut(usize) -> Type,
) -> Result<Vec<Parameter<'a>>> {
    let encode = |(index, value)| {
        types::encode(value, &kind(index)).map_err(|what| refused(index + 1, what))
    };
    params.iter().enumerate().map(encode).collect()
}

/// What the server says, with the place in the statement that it means.
fn server_error(fields: &mut ErrorFields<'_>, sql: &str) -> Error {
    let mut state = String::new();
    let (mut message, mut detail, mut hint, mut position) = (String::new(), None, None, None);
    let mut named: Vec<(&'static str, String)> = Vec::new();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => state = value,
            b'M' => message = value,
            b'D' => detail = Some(value),
            b'H' => hint = Some(value),
            b'P' => position = value.parse::<usize>().ok(),
            b's' => named.push(("schema", value)),
            b't' => named.push(("table", value)),
            b'c' => named.push(("column", value)),
            b'n' => named.push(("constraint", value)),
            _ => {}
        }
    }
    if let Some(detail) = detail {
        message = format!("{message}: {}", detail.trim_end_matches('.'));
    }
    let place = match position {
        Some(position) => {
            let before: String = sql.chars().take(position.saturating_sub(1)).collect();
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1;
            format!(", line {line} column {column}")
        }
        None => String::new(),
    };
    let kind = failure::kind(&state);
    let mut error = Error::new(kind, format!("{message} (SQLSTATE {state}{place})"))
        .field("sqlstate", Value::from(&*state));
    if let Some(position) = position {
        error = error.field("position", Value::Int(position as i64));
    }
    for (name, value) in named {
        error = error.field(name, Value::from(&*value));
    }
    match hint {
        Some(hint) => error.hint(hint),
        None if kind == "serialization" => error.hint("run the transaction again"),
        None => error,
    }
}
