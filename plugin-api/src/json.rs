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

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::abi::{Val, tag};
use crate::value::{Arena, IntoVal, lend, table};
use crate::{Error, Result, Value, View};

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
    let mut arena = Arena::default();
    let val = parse(text, nulls, &mut arena)?;
    // SAFETY: text and arena are alive.
    let view = unsafe { View::new(&val) };
    view.to_value()
        .map_err(|error| Unreadable::Syntax(error.message().into()))
}

/// A text that is read where its value goes to Lua: most of it is not copied on the way.
///
/// The value's errors are of kind `json`.
pub struct Text {
    text: Vec<u8>,
    what: &'static str,
    nulls: bool,
}

impl Text {
    /// A text that errors call `what`. Nulls become nil, or with `nulls` stay visible.
    pub fn new(text: impl Into<Vec<u8>>, what: &'static str, nulls: bool) -> Self {
        Self {
            text: text.into(),
            what,
            nulls,
        }
    }
}

// SAFETY: points into the text and the arena.
unsafe impl IntoVal for Text {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        parse(&self.text, self.nulls, arena).map_err(|error| match error {
            Unreadable::Syntax(why) => {
                Error::new("json", format!("{} is not JSON: {why}", self.what))
            }
            Unreadable::Integer(integer) => {
                let what = format!("the integer {integer} does not fit a Lua integer");
                Error::new("json", what).hint(format!("read {} as text", self.what))
            }
        })
    }
}

/// The value of a text, in the arena and the text.
fn parse<'a>(text: &'a [u8], nulls: bool, arena: &mut Arena) -> Result<Val, Unreadable<'a>> {
    let mut huge = false;
    // At once, which is faster than string by string.
    let valid = std::str::from_utf8(text).map_err(|error| {
        Unreadable::Syntax(format!("byte {} is not UTF-8", error.valid_up_to() + 1))
    })?;
    let mut reader = serde_json::Deserializer::from_str(valid);
    let val = Reader {
        arena,
        nulls,
        huge: &mut huge,
    }
    .deserialize(&mut reader)
    .and_then(|val| reader.end().map(|()| val))
    .map_err(|error| Unreadable::Syntax(error.to_string()))?;
    match huge.then(|| huge_integer(text)).flatten() {
        Some(integer) => Err(Unreadable::Integer(integer)),
        None => Ok(val),
    }
}

struct Reader<'a> {
    arena: &'a mut Arena,
    nulls: bool,
    /// A number was met whose literal may be an integer that `f64` rounded.
    huge: &'a mut bool,
}

impl Reader<'_> {
    fn again(&mut self) -> Reader<'_> {
        Reader {
            arena: self.arena,
            nulls: self.nulls,
            huge: self.huge,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Val;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(if self.nulls { Val::NULL } else { Val::NIL })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Val, E> {
        Ok(Val::bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Val, E> {
        Ok(Val::int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Val, E> {
        Ok(i64::try_from(value).map(Val::int).unwrap_or_else(|_| {
            *self.huge = true;
            Val::NIL
        }))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Val, E> {
        *self.huge |= value.abs() >= 9.2e18;
        Ok(Val::float(value))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<Val, E> {
        lend(value.as_bytes()).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Val, E> {
        self.arena.bytes(value.as_bytes()).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Val, A::Error> {
        let start = self.arena.start();
        while let Some(item) = items.next_element_seed(self.again())? {
            self.arena.push(item);
        }
        Ok(table(tag::LIST, self.arena.close(start)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Val, A::Error> {
        let start = self.arena.start();
        while let Some(key) = entries.next_key_seed(self.again())? {
            self.arena.push(key);
            let value = entries.next_value_seed(self.again())?;
            self.arena.push(value);
        }
        Ok(table(tag::MAP, self.arena.close(start)))
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
        assert_eq!(
            read(b"[\"\xff\"]", false),
            Err(Unreadable::Syntax("byte 3 is not UTF-8".into()))
        );
    }
}
