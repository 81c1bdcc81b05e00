//! JSON between views, values and text.

use std::fmt;

use assay_plugin::{Error, Kind, MAX_DEPTH, Result, Value, View};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Writes a Lua value as JSON, keys sorted.
pub fn encode(view: View<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write(view, &mut out, MAX_DEPTH).map_err(Problem::into_error)?;
    Ok(out)
}

/// Reads JSON. Nulls become nil, or with `nulls` stay visible.
pub fn decode(text: &[u8], nulls: bool) -> Result<Value> {
    let mut huge = false;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Reader {
        nulls,
        huge: &mut huge,
    }
    .deserialize(&mut reader)
    .and_then(|value| reader.end().map(|()| value))
    .map_err(|error| Error::new("json", format!("the body is not JSON: {error}")))?;
    if huge && let Some(integer) = huge_integer(text) {
        return Err(Error::new(
            "json",
            format!("the integer {integer} does not fit a Lua integer"),
        )
        .hint("read it from `body` as text"));
    }
    Ok(value)
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

struct Reader<'a> {
    nulls: bool,
    /// A number was met whose literal may be an integer that `f64` rounded.
    huge: &'a mut bool,
}

impl Reader<'_> {
    fn again(&mut self) -> Reader<'_> {
        Reader {
            nulls: self.nulls,
            huge: self.huge,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(if self.nulls { Value::Null } else { Value::Nil })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map(Value::Int).unwrap_or_else(|_| {
            *self.huge = true;
            Value::Nil
        }))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        *self.huge |= value.abs() >= 9.2e18;
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.again())? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Key>()? {
            map.push((Value::Bytes(key.0), entries.next_value_seed(self.again())?));
        }
        Ok(Value::Map(map))
    }
}

struct Key(Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self(key.into_bytes()))
    }
}

/// The first integer literal of a valid JSON text that `i64` cannot hold.
fn huge_integer(text: &[u8]) -> Option<&str> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                at += 1;
                while text.get(at).is_some_and(|&byte| byte != b'"') {
                    at += 1 + usize::from(text[at] == b'\\');
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &text[at..];
                let len = rest
                    .iter()
                    .position(|byte| {
                        !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
                    })
                    .unwrap_or(rest.len());
                let literal = std::str::from_utf8(&rest[..len]).unwrap_or_default();
                let integer = !literal.contains(['.', 'e', 'E']);
                if integer && literal.parse::<i64>().is_err() {
                    return Some(literal);
                }
                at += len;
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Value {
        decode(text.as_bytes(), false).unwrap()
    }

    #[test]
    fn integers_are_exact_or_refused() {
        assert_eq!(
            decoded("[9223372036854775807]"),
            Value::List(vec![Value::Int(i64::MAX)])
        );
        assert_eq!(decoded("-9223372036854775808"), Value::Int(i64::MIN));
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "[1e30, 123456789012345678901234567890]",
        ] {
            let error = decode(text.as_bytes(), false).unwrap_err();
            assert!(
                error.message().contains("does not fit a Lua integer"),
                "{error}"
            );
        }
        assert_eq!(decoded("1e30"), Value::Float(1e30));
        assert_eq!(
            decoded("\"99999999999999999999\""),
            Value::from("99999999999999999999")
        );
        assert_eq!(
            decoded(r#"{"a\"b": 1e19}"#),
            Value::Map(vec![(Value::from("a\"b"), Value::Float(1e19))])
        );
    }

    #[test]
    fn nulls_and_shapes() {
        assert_eq!(decoded("[]"), Value::List(vec![]));
        assert_eq!(decoded("{}"), Value::Map(vec![]));
        assert_eq!(decoded("null"), Value::Nil);
        assert_eq!(
            decode(b"[null]", true).unwrap(),
            Value::List(vec![Value::Null])
        );
    }

    #[test]
    fn broken_text_says_where() {
        for (text, what) in [
            ("{\"a\": }", "column 7"),
            ("", "EOF"),
            ("1 2", "trailing"),
            ("\"\u{1}\"", "control character"),
        ] {
            let error = decode(text.as_bytes(), false).unwrap_err();
            assert!(error.message().contains(what), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(
            decode(deep.as_bytes(), false)
                .unwrap_err()
                .message()
                .contains("recursion limit")
        );
    }
}
