//! The error record that crosses the boundary.

use std::borrow::Cow;
use std::fmt;

use crate::abi::{Val, tag};
use crate::object::AnyObject;
use crate::value::{Arena, IntoVal, Kind, Value, View, table};

/// A result whose error becomes a Lua error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: a kind to branch on, a message to read, and what helps.
///
/// The message is a lower-case fragment without a final period. The host puts the function's name
/// before it (`http.get: connect: connection refused`), so leave that out.
pub struct Error(Box<Record>);

#[derive(Default)]
struct Record {
    kind: Cow<'static, str>,
    message: String,
    hint: Option<String>,
    status: Option<i64>,
    traceback: Option<String>,
    origin: Option<AnyObject>,
    more: Vec<(Cow<'static, str>, Value)>,
}

impl Error {
    /// An error of a kind: a stable word such as `timeout` or `connect`.
    pub fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Record {
            kind: kind.into(),
            message: message.into(),
            ..Record::default()
        }))
    }

    /// A wrong argument or option.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new("argument", message)
    }

    /// Adds a hint: a command or a fix.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a status, such as HTTP's.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.0.status = Some(status.into());
        self
    }

    /// Adds a field of the family's own, such as SQL's `sqlstate`. Not for what the message must say:
    /// only scripts that look for it see it.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: Value) -> Self {
        self.0.more.push((name.into(), value));
        self
    }

    /// A field of the family's own.
    pub fn field_value(&self, name: &str) -> Option<&Value> {
        let mut more = self.0.more.iter();
        more.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Puts `what: ` before the message.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The hint, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The Lua traceback, when a Lua function raised it.
    pub fn traceback(&self) -> Option<&str> {
        self.0.traceback.as_deref()
    }

    /// Reads what a callee raised: an error record, or any other value.
    pub(crate) fn from_view(view: View<'_>) -> Self {
        match view.kind() {
            Ok(Kind::Map(pairs) | Kind::Error(pairs)) => {
                let text = |key| {
                    view.get(key)
                        .and_then(|v| v.as_bytes())
                        .map(|b| String::from_utf8_lossy(b).into_owned())
                };
                let origin = view.get("value").and_then(|v| match v.kind() {
                    Ok(Kind::Object(object)) => Some(object),
                    _ => None,
                });
                Self(Box::new(Record {
                    kind: text("kind").unwrap_or_else(|| "error".into()).into(),
                    message: text("message").unwrap_or_else(|| "an error without a message".into()),
                    hint: text("hint"),
                    status: view.get("status").and_then(|v| v.as_int()),
                    traceback: text("traceback"),
                    origin,
                    more: pairs.filter_map(field).collect(),
                }))
            }
            Ok(Kind::Str(bytes)) => Self::new("error", String::from_utf8_lossy(bytes)),
            _ => Self::new(
                "error",
                format!("an error value of type {}", view.type_name()),
            ),
        }
    }
}

// SAFETY: what the value points into is the arena or `self`.
unsafe impl IntoVal for Error {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let record = &*self.0;
        let pairs = arena.table(|arena| {
            let mut put = |key: &str, value: &dyn IntoVal| -> Result<()> {
                arena.put(key)?;
                arena.put(value)
            };
            put("kind", &&*record.kind)?;
            put("message", &&*record.message)?;
            if let Some(hint) = &record.hint {
                put("hint", hint)?;
            }
            if let Some(status) = &record.status {
                put("status", status)?;
            }
            if let Some(traceback) = &record.traceback {
                put("traceback", traceback)?;
            }
            if let Some(origin) = &record.origin {
                put("value", origin)?;
            }
            for (name, value) in &record.more {
                put(name, value)?;
            }
            Ok(())
        })?;
        Ok(table(tag::ERROR, pairs))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {}

/// A message of the platform's as a fragment: `Connection refused (os error 111)` becomes
/// `connection refused`. Acronyms keep their capitals.
///
/// ```
/// assert_eq!(assay_plugin::fragment("Connection refused (os error 111)"), "connection refused");
/// assert_eq!(assay_plugin::fragment("EOF reached"), "EOF reached");
/// ```
pub fn fragment(message: &str) -> String {
    let text = message
        .split_once(" (os error")
        .map_or(message, |(text, _)| text);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    match chars.clone().next() {
        Some(second) if second.is_ascii_uppercase() => text.into(),
        _ => first.into_iter().chain(chars).collect(),
    }
}

/// A field of a family's own.
fn field((key, value): (View<'_>, View<'_>)) -> Option<(Cow<'static, str>, Value)> {
    const KNOWN: [&[u8]; 7] = [
        b"kind",
        b"message",
        b"hint",
        b"status",
        b"traceback",
        b"source",
        b"value",
    ];
    let key = key.as_bytes().filter(|key| !KNOWN.contains(key))?;
    let key = std::str::from_utf8(key).ok()?.to_owned();
    Some((key.into(), value.to_value().ok()?))
}

/// The nearest of `known` to `word`, where it is near enough to be what was meant.
///
/// Optimal string alignment distance, at most a third of the word's length.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, &mut known.into_iter())
}

fn nearest<'a>(word: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).max(1);
    known
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (previous[j] + 1)
                .min(row[j - 1] + 1)
                .min(previous[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}
