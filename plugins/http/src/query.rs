//! Percent-encoding: query tables and forms out, query strings and paths in.

use std::collections::HashMap;
use std::fmt::Write;

use assay_plugin::{Error, Kind, Result, Value, View};

/// `a=1&b=x%20y` from a table, sorted by key; a list repeats its key.
///
/// Spaces become `%20`, never `+`, which not every server reads as a space.
pub fn encode(table: View<'_>, option: &str) -> Result<String> {
    let wrong = |what: String| Error::argument(format!("option `{option}`: {what}"));
    let pairs = match table.kind()? {
        Kind::Map(pairs) => pairs,
        Kind::List(items) if items.len() == 0 => return Ok(String::new()),
        _ => {
            return Err(wrong(format!(
                "expected a table of names and values, got {}",
                table.type_name()
            )));
        }
    };
    let mut entries = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let key = key
            .as_bytes()
            .ok_or_else(|| wrong(format!("a name must be a string, got {}", key.type_name())))?;
        entries.push((key, value));
    }
    entries.sort_unstable_by_key(|(key, _)| *key);
    let mut out = String::new();
    for (key, value) in entries {
        let mut put = |value: View<'_>| match scalar(value) {
            Some(text) => {
                if !out.is_empty() {
                    out.push('&');
                }
                escape(key, &mut out);
                out.push('=');
                escape(&text, &mut out);
                Ok(())
            }
            None => Err(Error::argument(format!(
                "option `{option}.{}`: expected a string, number, boolean or a list of them, got {}",
                String::from_utf8_lossy(key),
                value.type_name()
            ))),
        };
        match value.kind()? {
            Kind::List(mut items) => items.try_for_each(put)?,
            _ => put(value)?,
        }
    }
    Ok(out)
}

/// The text of a string, number or boolean.
pub fn scalar(view: View<'_>) -> Option<Vec<u8>> {
    Some(match view.kind().ok()? {
        Kind::Bool(bool) => bool.to_string().into(),
        Kind::Int(int) => int.to_string().into(),
        Kind::Float(float) => format!("{float:?}").into(),
        _ => view.as_bytes()?.to_vec(),
    })
}

fn escape(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into())
            }
            // Writing into memory does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

/// The parameters of a query string; one that repeats is a list.
pub fn decode(query: &str) -> Value {
    let mut params: Vec<(Value, Value)> = Vec::new();
    // A stranger's query may hold thousands of names.
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = unescape(key.as_bytes(), true);
        let value = Value::Bytes(unescape(value.as_bytes(), true));
        match places.get(&key).map(|at| &mut params[*at].1) {
            None => {
                places.insert(key.clone(), params.len());
                params.push((Value::Bytes(key), value));
            }
            Some(Value::List(values)) => values.push(value),
            Some(first) => *first = Value::List(vec![std::mem::take(first), value]),
        }
    }
    Value::Map(params)
}

/// Decodes `%XX`, and `+` where it means a space. What is no escape stays as it is.
pub fn unescape(bytes: &[u8], plus: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if plus && bytes[at] == b'+' {
                    b' '
                } else {
                    bytes[at]
                });
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_repeated_and_broken() {
        let params = decode("a=1&b=x+y%2B&a=2&c&=d&e=%zz%4&&a=3");
        let text = |key| params.get(key).and_then(Value::as_str);
        assert_eq!(
            params.get("a"),
            Some(&Value::List(vec![
                Value::from("1"),
                Value::from("2"),
                Value::from("3")
            ]))
        );
        assert_eq!(text("b"), Some("x y+"));
        assert_eq!(text("c"), Some(""));
        assert_eq!(text(""), Some("d"));
        assert_eq!(text("e"), Some("%zz%4"));
        assert_eq!(unescape(b"a+%ff", false), b"a+\xff");
    }
}
