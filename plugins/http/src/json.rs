//! JSON between views, values and text.

use assay_plugin::{Error, Kind, MAX_DEPTH, Result, View};

/// Writes a Lua value as JSON, keys sorted.
pub fn encode(view: View<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    write(view, &mut out, MAX_DEPTH).map_err(Problem::into_error)?;
    Ok(out)
}

/// What cannot be encoded, and where it is, inside out.
struct Problem {
    what: String,
    path: Vec<String>,
}

impl Problem {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            path: Vec::new(),
        }
    }

    fn into_error(self) -> Error {
        let path: Vec<_> = self.path.into_iter().rev().collect();
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", path.join("."))
        };
        Error::argument(format!("JSON cannot hold {}{place}", self.what))
    }
}

fn write(view: View<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Problem> {
    if depth == 0 {
        return Err(Problem {
            what: format!("tables nested deeper than {MAX_DEPTH}"),
            path: Vec::new(),
        });
    }
    match view.kind().map_err(|error| Problem::new(error.message()))? {
        Kind::Nil | Kind::Null => out.extend_from_slice(b"null"),
        Kind::Bool(bool) => out.extend_from_slice(if bool { b"true" } else { b"false" }),
        Kind::Int(int) => scalar(out, &int),
        Kind::Float(float) if float.is_finite() => scalar(out, &float),
        Kind::Float(float) => return Err(Problem::new(format!("the number {float}"))),
        Kind::Str(bytes) => text(bytes, out)?,
        Kind::Buf(buf) => text(&buf, out)?,
        Kind::List(items) => {
            out.push(b'[');
            for (index, item) in items.enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out, depth - 1).map_err(|mut problem| {
                    problem.path.push((index + 1).to_string());
                    problem
                })?;
            }
            out.push(b']');
        }
        Kind::Map(pairs) | Kind::Error(pairs) => {
            let mut entries = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                match key.kind() {
                    Ok(Kind::Str(bytes)) => entries.push((bytes, value)),
                    Ok(Kind::Int(int)) => {
                        return Err(Problem::new(format!("the key {int}, which is no string")));
                    }
                    Ok(Kind::Float(float)) => {
                        return Err(Problem::new(format!("the key {float}, which is no string")));
                    }
                    Ok(Kind::Bool(bool)) => {
                        return Err(Problem::new(format!("the key {bool}, which is no string")));
                    }
                    _ => return Err(Problem::new(format!("a key of type {}", key.type_name()))),
                }
            }
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                text(key, out)?;
                out.push(b':');
                write(value, out, depth - 1).map_err(|mut problem| {
                    problem.path.push(String::from_utf8_lossy(key).into_owned());
                    problem
                })?;
            }
            out.push(b'}');
        }
        Kind::Func(_) => return Err(Problem::new("a function")),
        Kind::Object(object) => return Err(Problem::new(format!("a {}", object.type_name()))),
    }
    Ok(())
}

fn scalar(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Writing a number or a text into memory does not fail.
    let _ = serde_json::to_writer(out, value);
}

fn text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    match std::str::from_utf8(bytes) {
        Ok(text) => scalar(out, &text),
        Err(error) => {
            return Err(Problem::new(format!(
                "a string that is not UTF-8 (byte {:#04x} at offset {})",
                bytes[error.valid_up_to()],
                error.valid_up_to()
            )));
        }
    }
    Ok(())
}
