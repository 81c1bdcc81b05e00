//! SQL with its parameters, and where its rows go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_plugin::{Error, Kind, Result, Value, View};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// A statement of which every part was checked, but what only the server can check.
pub struct Statement {
    pub sql: String,
    /// Holes of the script's list are nil.
    pub params: Vec<Value>,
    /// NULL stays visible in rows.
    pub nulls: bool,
    pub timeout: Option<Duration>,
    pub mode: Mode,
}

/// What a statement is run for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All of its rows.
    Query,
    /// What it changes. Without parameters it may be several statements.
    Execute,
    /// Its rows one by one.
    Each,
}

/// What a statement changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub rows_affected: u64,
    pub last_insert_id: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Options {
    timeout: Option<f64>,
    null: bool,
}

impl Statement {
    /// From the arguments of a call; `first` is the position of the parameters.
    pub fn read(
        mode: Mode,
        sql: &str,
        params: View<'_>,
        opts: View<'_>,
        first: usize,
    ) -> Result<Self> {
        let params =
            read_params(params).map_err(|error| error.context(format_args!("argument {first}")))?;
        let options: Options = if opts.is_nil() {
            Options::default()
        } else {
            assay_plugin::from_view(opts)
                .map_err(|error| error.context(format_args!("argument {}", first + 1)))?
        };
        Ok(Self {
            sql: sql.to_owned(),
            params,
            nulls: options.null,
            timeout: options
                .timeout
                .map(|value| seconds("timeout", value))
                .transpose()?,
            mode,
        })
    }

    /// One of our own, without parameters.
    pub fn plain(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            params: Vec::new(),
            nulls: false,
            timeout: None,
            mode: Mode::Execute,
        }
    }

    /// The parameters for a statement that takes `count` of them.
    ///
    /// # Errors
    /// When there are more, or fewer: a nil at the end of a list does not count in Lua, and what a
    /// script left out must not silently be NULL.
    pub fn params_for(&self, count: usize) -> Result<&[Value]> {
        if self.params.len() == count {
            return Ok(&self.params);
        }
        let error = Error::argument(format!(
            "the statement takes {count} parameter{}, got {}",
            if count == 1 { "" } else { "s" },
            self.params.len()
        ));
        Err(if self.params.len() < count {
            error.hint("a nil at the end of a list does not count: pass `db.null`")
        } else {
            error
        })
    }
}

/// A count of seconds that a clock can take.
pub fn seconds(option: &str, value: f64) -> Result<Duration> {
    if !value.is_finite() || value <= 0.0 || value > 1e9 {
        return Err(Error::argument(format!(
            "option `{option}`: expected seconds from above 0 to 1e9, got {value}"
        )));
    }
    Ok(Duration::from_secs_f64(value))
}

fn read_params(params: View<'_>) -> Result<Vec<Value>> {
    let wrong =
        |what: String| Error::argument(format!("expected a list of parameters, got {what}"));
    match params.kind()? {
        Kind::Nil => Ok(Vec::new()),
        Kind::List(items) => items.map(View::to_value).collect(),
        // A list with holes, which are NULL.
        Kind::Map(pairs) => {
            let mut list: Vec<Value> = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let index = key
                    .as_int()
                    .and_then(|index| usize::try_from(index).ok())
                    .filter(|index| (1..=65_535).contains(index));
                let Some(index) = index else {
                    return Err(wrong("a table with other keys than 1 to 65535".into())
                        .hint("placeholders are numbered; there are no named ones"));
                };
                if list.len() < index {
                    list.resize(index, Value::Nil);
                }
                list[index - 1] = value.to_value()?;
            }
            Ok(list)
        }
        _ => Err(wrong(params.type_name().into()).hint("parameters are a list: `{ value }`")),
    }
}

/// A parameter that no statement can take.
pub fn refused(position: usize, what: impl std::fmt::Display) -> Error {
    Error::argument(format!("parameter {position}: {what}"))
}

/// Where rows go.
pub enum Sink<'a> {
    /// Nowhere.
    Discard,
    /// Into a list.
    Collect(&'a mut Vec<Value>),
    /// To a loop, which may be slow.
    Stream {
        to: &'a mpsc::Sender<Result<Value>>,
        progress: &'a Progress,
        /// Changes when rows are no longer wanted, whoever waits for them; None once it did.
        end: Option<&'a mut watch::Receiver<()>>,
    },
}

impl Sink<'_> {
    /// Hands a row on; false when nobody wants more.
    pub async fn row(&mut self, row: Value) -> bool {
        match self {
            Self::Discard => true,
            Self::Collect(rows) => {
                rows.push(row);
                true
            }
            Self::Stream { to, progress, end } => {
                progress.pause();
                let sent = to.send(Ok(row));
                let wanted = match end {
                    None => sent.await.is_ok(),
                    Some(signal) => tokio::select! {
                        sent = sent => sent.is_ok(),
                        _ = signal.changed() => {
                            *end = None;
                            false
                        }
                    },
                };
                progress.resume();
                wanted
            }
        }
    }
}

/// When the server last had something to do for us: the script's own time does not count.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<Option<Instant>>>);

impl Progress {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    fn pause(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn resume(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Ends when the server was waited for longer than that.
    pub async fn expired(&self, timeout: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let until = since.unwrap_or(now) + timeout;
            if since.is_some() && until <= now {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A row: a table by column names. NULL is absent, unless it shall be visible; of columns with one
/// name the last one counts.
pub fn row<'a>(cells: impl ExactSizeIterator<Item = (&'a [u8], Value)>, nulls: bool) -> Value {
    let mut pairs = Vec::with_capacity(cells.len());
    for (name, value) in cells {
        let value = match value {
            Value::Nil | Value::Null if nulls => Value::Null,
            Value::Null => Value::Nil,
            value => value,
        };
        pairs.push((Value::Bytes(name.to_vec()), value));
    }
    Value::Map(pairs)
}
