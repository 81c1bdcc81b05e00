//! The runtime's error record: what a script, a plugin or the set-up of a VM failed with.

use std::fmt;
use std::ops::{Deref, DerefMut};

use assay_plugin::Value;

/// A failure, with what is known about it.
// Boxed: results are moved at every `?`, and these facts are 144 bytes.
#[derive(Debug, Clone, Default)]
pub struct Error(Box<Facts>);

/// What is known about a failure.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// A stable word to branch on: `timeout`, `connect`, `syntax`, ...
    pub kind: String,
    /// One readable line; for builtins it begins with the function's name.
    pub message: String,
    /// What helps, if something does.
    pub hint: Option<String>,
    /// A status, such as HTTP's.
    pub status: Option<i64>,
    /// `file:line` where it was raised.
    pub source: Option<String>,
    /// The Lua traceback.
    pub traceback: Option<String>,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            kind: kind.into(),
            message: message.into(),
            ..Facts::default()
        }))
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `file:line` of the script, as far as it is known: where it was raised, else where the innermost
    /// function of the script was.
    pub(crate) fn line(&self) -> Option<String> {
        let frames = self.traceback.as_deref().unwrap_or_default().lines();
        let frame = frames.map(str::trim).find_map(|frame| {
            // `file:line: in function ...`
            let (place, _) = frame.split_once(": in ")?;
            (!place.starts_with('[')).then_some(place)
        });
        self.source.as_deref().or(frame).map(Into::into)
    }

    pub(crate) fn with_traceback(mut self, traceback: String) -> Self {
        self.traceback.get_or_insert(traceback);
        self
    }

    pub(crate) fn from_fields(fields: Vec<(&'static str, Value)>) -> Self {
        let mut error = Self::new("error", "");
        for (name, value) in fields {
            let text = || match &value {
                Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            };
            match name {
                "kind" => error.kind = text(),
                "message" => error.message = text(),
                "hint" => error.hint = Some(text()),
                "source" => error.source = Some(text()),
                "traceback" => error.traceback = Some(text()),
                "status" => {
                    if let Value::Int(status) = value {
                        error.status = Some(status);
                    }
                }
                _ => {}
            }
        }
        error
    }
}

impl From<assay_plugin::Error> for Error {
    fn from(error: assay_plugin::Error) -> Self {
        Self(Box::new(Facts {
            kind: error.kind().into(),
            message: error.message().into(),
            hint: error.hint_text().map(Into::into),
            traceback: error.traceback().map(Into::into),
            ..Facts::default()
        }))
    }
}

impl Deref for Error {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
