//! SQLite, over sqlx's driver: one thread of its own for each connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use assay_plugin::{Cx, Error, Result, Value};
use futures_util::TryStreamExt;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow,
};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Connection, Decode, Either, Executor, Row,
    SqlSafeStr, Sqlite as Db, Statement as _, TypeInfo, ValueRef,
};

use crate::address::File;
use crate::failure;
use crate::json;
use crate::statement::{Done, Mode, Sink, Statement, refused, row};

/// A connection.
pub struct Sqlite {
    connection: SqliteConnection,
    /// Tells the thread to stop what it runs.
    stop: Arc<AtomicBool>,
    cx: Cx,
}

/// How many of SQLite's instructions may pass before it looks whether it shall stop.
const INSTRUCTIONS: i32 = 1000;

impl Sqlite {
    pub async fn open(cx: &Cx, file: &File, timeout: Duration) -> Result<Self> {
        let mut options = SqliteConnectOptions::new()
            .foreign_keys(file.foreign_keys)
            // What a statement was compiled to would outlive a change of its tables.
            .statement_cache_capacity(0)
            .busy_timeout(timeout.min(Duration::from_secs(1_000_000)))
            .disable_statement_logging();
        if let Some(path) = &file.path {
            let name = path.to_string_lossy();
            cx.require("fs.read", &name)?;
            if !file.read_only {
                cx.require("fs.write", &name)?;
            }
            options = options
                .filename(path)
                .read_only(file.read_only)
                .create_if_missing(file.create);
        }
        if let Some(mode) = &file.journal_mode {
            options = options.journal_mode(match mode.as_str() {
                "wal" => SqliteJournalMode::Wal,
                "truncate" => SqliteJournalMode::Truncate,
                "persist" => SqliteJournalMode::Persist,
                "memory" => SqliteJournalMode::Memory,
                _ => SqliteJournalMode::Delete,
            });
        }
        let mut connection =
            options
                .connect()
                .await
                .map_err(|error| match failure::statement(error) {
                    error if error.kind() == "busy" => error,
                    error => {
                        let out = failure::connecting("connect", error.message(), &file.shown);
                        match file.create {
                            false => out.hint("the URL's `mode` says that the file must be there"),
                            true => out,
                        }
                    }
                })?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        connection
            .lock_handle()
            .await
            .map_err(failure::statement)?
            .set_progress_handler(INSTRUCTIONS, move || !flag.load(Ordering::Relaxed));
        Ok(Self {
            connection,
            stop,
            cx: cx.clone(),
        })
    }

    pub async fn close(self) {
        let _ = self.connection.close().await;
    }

    /// Stops what runs and rolls back: a database in memory lives in its connection.
    pub async fn recover(&mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        // The thread gets to it when the statement has ended.
        let is_there = self.connection.lock_handle().await.is_ok();
        self.stop.store(false, Ordering::Relaxed);
        if is_there {
            // There need not have been a transaction.
            let _ = (&mut self.connection)
                .execute(sqlx::raw_sql("ROLLBACK"))
                .await;
        }
        is_there
    }

    pub async fn run(&mut self, statement: &Statement, sink: &mut Sink<'_>) -> Result<Done> {
        let parts = split(&statement.sql);
        for part in &parts {
            self.permit(part, &statement.sql)?;
        }
        let sql = AssertSqlSafe(&*statement.sql).into_sql_str();
        let mut results = if statement.mode == Mode::Execute && statement.params.is_empty() {
            (&mut self.connection).fetch_many(sqlx::raw_sql(sql))
        } else {
            let prepared = (&mut self.connection)
                .prepare(sql)
                .await
                .map_err(failure::statement)?;
            let count = match prepared.parameters() {
                Some(Either::Right(count)) => count,
                Some(Either::Left(types)) => types.len(),
                None => statement.params.len(),
            };
            let mut arguments = SqliteArguments::default();
            for (index, param) in statement.params_for(count)?.iter().enumerate() {
                bind(&mut arguments, param).map_err(|what| refused(index + 1, what))?;
            }
            (&mut self.connection).fetch_many(sqlx::query_with(prepared.into_sql(), arguments))
        };
        let mut done = Done::default();
        let mut at = 0;
        while let Some(result) = results.try_next().await.map_err(failure::statement)? {
            match result {
                // SQLite answers with what the last statement changed that changed something.
                Either::Left(result) => {
                    let part = parts.get(at);
                    at += 1;
                    if part.is_some_and(|part| part.changes) {
                        done.rows_affected += result.rows_affected();
                        if part.is_some_and(|part| part.inserts) && result.rows_affected() > 0 {
                            done.last_insert_id = u64::try_from(result.last_insert_rowid()).ok();
                        }
                    }
                }
                Either::Right(found) => {
                    if !matches!(sink, Sink::Discard)
                        && !sink.row(decode(&found, statement.nulls)).await
                    {
                        break;
                    }
                }
            }
        }
        Ok(done)
    }

    /// Statements that open other files need permission for these.
    fn permit(&self, part: &Part, sql: &str) -> Result<()> {
        let Some(file) = &part.file else {
            return Ok(());
        };
        let Some(range) = file else {
            return Err(Error::argument(format!(
                "`{}` needs its file as a literal: '/path'",
                part.first
            )));
        };
        let text = sql.get(range.clone()).unwrap_or_default();
        let name = text
            .get(1..text.len() - 1)
            .unwrap_or_default()
            .replace("''", "'");
        if name.is_empty() || name == ":memory:" {
            return Ok(());
        }
        // SQLite would take it for a URI, with options of its own.
        if name.starts_with("file:") {
            return Err(Error::argument(format!(
                "`{}` needs a path, got `{name}`",
                part.first
            )));
        }
        self.cx.require("fs.read", &name)?;
        self.cx.require("fs.write", &name)
    }
}

fn bind(arguments: &mut SqliteArguments, value: &Value) -> Result<(), String> {
    let added = match value {
        Value::Nil | Value::Null => arguments.add(None::<i64>),
        Value::Bool(bool) => arguments.add(i64::from(*bool)),
        Value::Int(int) => arguments.add(*int),
        // SQLite would store NaN as NULL.
        Value::Float(float) if float.is_nan() => {
            return Err("the number NaN, which SQLite does not have".into());
        }
        Value::Float(float) => arguments.add(*float),
        Value::Bytes(bytes) => return bind_bytes(arguments, bytes),
        Value::Buf(bytes) => return bind_bytes(arguments, bytes),
        Value::List(_) | Value::Map(_) => return bind_bytes(arguments, &json::encode(value)?),
        Value::Func(_) => return Err("a function".into()),
        Value::Object(object) => return Err(format!("a {}", object.type_name())),
    };
    added.map_err(|error| error.to_string())
}

fn bind_bytes(arguments: &mut SqliteArguments, bytes: &[u8]) -> Result<(), String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => arguments.add(text.to_owned()),
        Err(_) => arguments.add(bytes.to_vec()),
    }
    .map_err(|error| error.to_string())
}

fn decode(found: &SqliteRow, nulls: bool) -> Value {
    let cells = found.columns().iter().enumerate().map(|(at, column)| {
        let value = found.try_get_raw(at).map_or(Value::Nil, |value| {
            if value.is_null() {
                return Value::Nil;
            }
            let kind = value.type_info().name().to_owned();
            match &*kind {
                "INTEGER" => match <i64 as Decode<Db>>::decode(value) {
                    // What else a column of truth values holds stays what it is.
                    Ok(int @ (0 | 1)) if column.type_info().name() == "BOOLEAN" => {
                        Value::Bool(int == 1)
                    }
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::Nil,
                },
                "REAL" => <f64 as Decode<Db>>::decode(value).map_or(Value::Nil, Value::Float),
                _ => <Vec<u8> as Decode<Db>>::decode(value).map_or(Value::Nil, Value::Bytes),
            }
        });
        (column.name().as_bytes(), value)
    });
    row(cells, nulls)
}

/// One of the statements of a text.
#[derive(Debug, Default, PartialEq)]
struct Part {
    /// Its first word, in upper case.
    first: String,
    changes: bool,
    inserts: bool,
    /// That it opens a file, and where in the text its name is.
    file: Option<Option<std::ops::Range<usize>>>,
}

/// The statements of a text, as far as it matters what they begin with. As SQLite does, the body of a
/// trigger is taken for a part of its statement.
fn split(sql: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut tokens: Vec<Token> = Vec::new();
    for token in (Tokens { sql, at: 0 }) {
        let ends = token.kind == Kind::Semicolon
            && {
                let is_trigger = tokens.first().is_some_and(|token| token.is(sql, "CREATE"))
                    && tokens.iter().take(4).any(|token| token.is(sql, "TRIGGER"));
                let body_ended = matches!(&tokens[..], [.., before, last] if before.kind == Kind::Semicolon && last.is(sql, "END"));
                !is_trigger || body_ended
            };
        if ends {
            parts.extend(part(sql, &tokens));
            tokens.clear();
        } else {
            tokens.push(token);
        }
    }
    parts.extend(part(sql, &tokens));
    parts
}

fn part(sql: &str, tokens: &[Token]) -> Option<Part> {
    let first = tokens.first()?;
    let has = |word: &str| tokens.iter().any(|token| token.is(sql, word));
    let first = sql[first.range.clone()].to_ascii_uppercase();
    let is_with = first == "WITH";
    let inserts =
        matches!(&*first, "INSERT" | "REPLACE") || (is_with && (has("INSERT") || has("REPLACE")));
    let changes = inserts
        || matches!(&*first, "UPDATE" | "DELETE")
        || (is_with && (has("UPDATE") || has("DELETE")));
    // A literal alone: what follows may not be put together at run time.
    let literal_after = |index: usize| -> Option<std::ops::Range<usize>> {
        let token = tokens
            .get(index)
            .filter(|token| token.kind == Kind::Literal)?;
        match tokens.get(index + 1) {
            None => Some(token.range.clone()),
            Some(next) if next.is(sql, "AS") => Some(token.range.clone()),
            _ => None,
        }
    };
    let file = match &*first {
        "ATTACH" => {
            let skip = usize::from(tokens.get(1).is_some_and(|token| token.is(sql, "DATABASE")));
            Some(literal_after(1 + skip))
        }
        "VACUUM" => {
            let into = tokens.iter().position(|token| token.is(sql, "INTO"));
            into.map(|index| literal_after(index + 1))
        }
        _ => None,
    };
    Some(Part {
        first,
        changes,
        inserts,
        file,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Literal,
    Semicolon,
    Other,
}

#[derive(Clone)]
struct Token {
    kind: Kind,
    range: std::ops::Range<usize>,
}

impl Token {
    fn is(&self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && sql[self.range.clone()].eq_ignore_ascii_case(word)
    }
}

struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let rest = &self.sql[self.at..];
            let first = rest.chars().next()?;
            let start = self.at;
            let until = |text: &str, from: usize| {
                rest.get(from..)
                    .and_then(|rest| rest.find(text))
                    .map(|found| from + found + text.len())
            };
            if first.is_whitespace() {
                self.at += first.len_utf8();
                continue;
            }
            if rest.starts_with("--") {
                self.at += until("\n", 2).unwrap_or(rest.len());
                continue;
            }
            if rest.starts_with("/*") {
                self.at += until("*/", 2).unwrap_or(rest.len());
                continue;
            }
            let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let (kind, len) = match first {
                ';' => (Kind::Semicolon, 1),
                '\'' | '"' | '`' => {
                    // A doubled quote is one inside.
                    let mut end = 1;
                    loop {
                        match rest.get(end..).and_then(|rest| rest.find(first)) {
                            None => break end = rest.len(),
                            Some(found) => {
                                end += found + 1;
                                if !rest[end..].starts_with(first) {
                                    break;
                                }
                                end += 1;
                            }
                        }
                    }
                    (
                        if first == '\'' {
                            Kind::Literal
                        } else {
                            Kind::Other
                        },
                        end,
                    )
                }
                '[' => (Kind::Other, until("]", 1).unwrap_or(rest.len())),
                c if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
                c => (Kind::Other, c.len_utf8()),
            };
            self.at += len;
            return Some(Token {
                kind,
                range: start..start + len,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(sql: &str) -> Vec<String> {
        split(sql).into_iter().map(|part| part.first).collect()
    }

    #[test]
    fn statements_are_told_apart() {
        assert_eq!(
            firsts("select ';' -- ;\n; /* ; */ insert into t values (\"a;\"\"b\", [c;]) ;;"),
            ["SELECT", "INSERT"]
        );
        assert_eq!(
            firsts(
                "create temp trigger t after insert on a begin update b set c = case when 1 then 2 end; delete from d; end; select 1"
            ),
            ["CREATE", "SELECT"]
        );
        assert_eq!(firsts("  "), Vec::<String>::new());
        assert_eq!(firsts("select 'unterminated"), ["SELECT"]);
    }

    #[test]
    fn what_changes_rows_is_known() {
        let of = |sql: &str| split(sql).pop().map(|part| (part.changes, part.inserts));
        assert_eq!(
            of("with a as (select 1) insert into t select * from a"),
            Some((true, true))
        );
        assert_eq!(
            of("with a as (select 1) select * from a"),
            Some((false, false))
        );
        assert_eq!(of("delete from t"), Some((true, false)));
        assert_eq!(of("create table t (a)"), Some((false, false)));
    }

    #[test]
    fn files_that_statements_open_are_found() {
        let of = |sql: &str| {
            let file = split(sql).pop().unwrap().file;
            file.map(|range| range.map(|range| sql[range].to_owned()))
        };
        assert_eq!(
            of("ATTACH DATABASE '/a.db' AS b"),
            Some(Some("'/a.db'".into()))
        );
        assert_eq!(of("/**/ attach '/a''b' as c"), Some(Some("'/a''b'".into())));
        assert_eq!(of("attach '/a' || '/b' as c"), Some(None));
        assert_eq!(of("attach ? as c"), Some(None));
        assert_eq!(of("attach \"/a\" as c"), Some(None));
        assert_eq!(of("vacuum main into '/b.db'"), Some(Some("'/b.db'".into())));
        assert_eq!(of("vacuum"), None);
        assert_eq!(of("select 'attach'"), None);
    }
}
