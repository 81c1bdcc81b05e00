//! JSON text into values (feature `json`): integers are exact, and what Lua cannot hold is said.
//!
//! ```
//! use assay_plugin::json::{Unreadable, read};
//! use assay_plugin::Value;
//!
//! assert_eq!(read(b"[1, null]", true), Ok(Value::List(vec![Value::Int(1), Value::Null])));
//! assert_eq!(read(b"[1e30]", false), Ok(Value::List(vec![Value::Float(1e30)])));
//! assert_eq!(read(b"9223372036854775808", false), Err(Unreadable::Integer("9223372036854775808")));
//! ```

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Value;

/// Why a text has no value in Lua.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable<'a> {
    /// It is not JSON, or nested deeper than 128: where, and what was expected.
    Syntax(String),
    /// It has this integer, beyond 64 bits.
    Integer(&'a str),
}

/// Reads a text. Nulls become nil, or with `nulls` stay visible.
///
/// # Errors
/// When it is no JSON, or has an integer that would have to be rounded.
pub fn read(text: &[u8], nulls: bool) -> Result<Value, Unreadable<'_>> {
    let mut huge = false;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Reader {
        nulls,
        huge: &mut huge,
    }
    .deserialize(&mut reader)
    .and_then(|value| reader.end().map(|()| value))
    .map_err(|error| Unreadable::Syntax(error.to_string()))?;
    match huge.then(|| huge_integer(text)).flatten() {
        Some(integer) => Err(Unreadable::Integer(integer)),
        None => Ok(value),
    }
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
        read(text.as_bytes(), false).unwrap()
    }

    #[test]
    fn integers_are_exact_or_refused() {
        assert_eq!(
            decoded("[9223372036854775807]"),
            Value::List(vec![Value::Int(i64::MAX)])
        );
        assert_eq!(decoded("-9223372036854775808"), Value::Int(i64::MIN));
        for (text, integer) in [
            ("9223372036854775808", "9223372036854775808"),
            ("-9223372036854775809", "-9223372036854775809"),
            (
                "[1e30, 123456789012345678901234567890]",
                "123456789012345678901234567890",
            ),
        ] {
            assert_eq!(
                read(text.as_bytes(), false),
                Err(Unreadable::Integer(integer))
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
            read(b"[null]", true).unwrap(),
            Value::List(vec![Value::Null])
        );
    }

    #[test]
    fn broken_text_says_where() {
        let deep = "[".repeat(100_000);
        for (text, what) in [
            ("{\"a\": }", "column 7"),
            ("", "EOF"),
            ("1 2", "trailing"),
            ("\"\u{1}\"", "control character"),
            (&deep, "recursion limit"),
        ] {
            match read(text.as_bytes(), false) {
                Err(Unreadable::Syntax(why)) => assert!(why.contains(what), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
