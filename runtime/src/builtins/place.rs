//! Where in a text or a value something went wrong.

use assay_plugin::{Error, Kind, MAX_DEPTH, View};

/// What a text in a format says wrong, and where. Counted from 1.
pub(super) fn in_text(line: usize, column: usize, what: impl std::fmt::Display) -> Error {
    Error::new("syntax", format!("line {line}, column {column}: {what}"))
}

/// What a format cannot say, and where in the value it was found.
#[derive(Debug)]
pub(super) struct Refused {
    what: String,
    path: String,
}

impl Refused {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            path: String::new(),
        }
    }

    /// A value of a type that no format has.
    pub(super) fn value(value: View<'_>) -> Self {
        Self::new(match value.kind() {
            Ok(Kind::Object(object)) => format!("a {}", object.type_name()),
            _ => format!("a {}", value.type_name()),
        })
    }

    pub(super) fn too_deep() -> Self {
        Self::new(format!("a table nested deeper than {MAX_DEPTH}"))
    }

    pub(super) fn under(mut self, key: &[u8]) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{}{dot}{}", String::from_utf8_lossy(key), self.path);
        self
    }

    /// Counts from 1, as Lua.
    pub(super) fn item(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }

    pub(super) fn into_error(mut self) -> Error {
        // Hundreds of levels say no more than the first ones.
        if let Some((end, _)) = self.path.char_indices().nth(120) {
            self.path.replace_range(end.., "...");
        }
        let Self { what, path } = self;
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at `{path}`")
        };
        Error::new("value", format!("cannot encode {what}{place}"))
    }
}

/// The text of a table's key in formats whose keys are text.
pub(super) fn key(view: View<'_>) -> Result<Vec<u8>, Refused> {
    match view.kind() {
        Ok(Kind::Str(text)) => Ok(text.to_vec()),
        Ok(Kind::Int(int)) => Ok(int.to_string().into_bytes()),
        _ => Err(Refused::new(format!("a key of type {}", view.type_name()))),
    }
}

/// The pairs of a table by the text of their keys, sorted.
pub(super) fn sorted<'a>(
    pairs: impl Iterator<Item = (View<'a>, View<'a>)>,
) -> Result<Vec<(Vec<u8>, View<'a>)>, Refused> {
    let mut sorted = pairs
        .map(|(name, value)| Ok((key(name)?, value)))
        .collect::<Result<Vec<_>, _>>()?;
    crate::order::by_name(&mut sorted, |pair| &pair.0);
    match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Refused::new("the key both as a number and as text").under(&pair[0].0)),
        None => Ok(sorted),
    }
}
