//! JSON columns and parameters.

use std::fmt;

use assay_plugin::Value;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

/// A Lua value as JSON text.
///
/// # Errors
/// What JSON cannot hold.
pub fn encode(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(&Json(value)).map_err(|error| format!("JSON cannot hold {error}"))
}

/// JSON text as a Lua value; the text itself where Lua could not hold an integer of it exactly.
pub fn decode(text: &[u8], nulls: bool) -> Value {
    let mut huge = false;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Reader {
        nulls,
        huge: &mut huge,
    }
    .deserialize(&mut reader)
    .and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(value) if !huge => value,
        // No JSON, too deep, or an integer beyond 64 bits: a column must not fail its row.
        _ => Value::Bytes(text.to_vec()),
    }
}

struct Json<'a>(&'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = |bytes: &[u8], to: S| match std::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Err(S::Error::custom("a string that is not UTF-8")),
        };
        match self.0 {
            Value::Nil | Value::Null => to.serialize_unit(),
            Value::Bool(bool) => to.serialize_bool(*bool),
            Value::Int(int) => to.serialize_i64(*int),
            Value::Float(float) if float.is_finite() => to.serialize_f64(*float),
            Value::Float(float) => Err(S::Error::custom(format!("the number {float}"))),
            Value::Bytes(bytes) => text(bytes, to),
            Value::Buf(buf) => text(buf, to),
            Value::List(items) => {
                let mut seq = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Json(item))?;
                }
                seq.end()
            }
            Value::Map(pairs) => {
                let mut map = to.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    let Some(key) = key.as_str() else {
                        return Err(S::Error::custom("a key that is no text"));
                    };
                    map.serialize_entry(key, &Json(value))?;
                }
                map.end()
            }
            Value::Func(_) => Err(S::Error::custom("a function")),
            Value::Object(object) => Err(S::Error::custom(format!("a {}", object.type_name()))),
        }
    }
}

struct Reader<'a> {
    nulls: bool,
    /// A number was met that may be an integer which was rounded.
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
        // Whether such a literal was an integer is not known any more.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_there_and_back() {
        for text in [
            r#"{"a":[1,2.5,true,"x"],"b":{}}"#,
            "[]",
            "{}",
            "9223372036854775807",
            "\"é\"",
        ] {
            let value = decode(text.as_bytes(), true);
            assert_eq!(String::from_utf8(encode(&value).unwrap()).unwrap(), text);
        }
        assert_eq!(decode(b"[null]", true), Value::List(vec![Value::Null]));
        assert_eq!(decode(b"null", false), Value::Nil);
    }

    #[test]
    fn what_lua_cannot_hold_stays_text() {
        for text in [
            "9223372036854775808",
            "[1, 1e400000]",
            "{\"a\": 123456789012345678901}",
            "nonsense",
        ] {
            assert_eq!(decode(text.as_bytes(), false), Value::from(text));
        }
    }

    #[test]
    fn what_json_cannot_hold_is_named() {
        for (value, what) in [
            (Value::Float(f64::NAN), "the number NaN"),
            (Value::Bytes(vec![0xff]), "a string that is not UTF-8"),
            (
                Value::Map(vec![(Value::Int(3), Value::Int(1))]),
                "a key that is no text",
            ),
        ] {
            assert_eq!(
                encode(&Value::List(vec![value])).unwrap_err(),
                format!("JSON cannot hold {what}")
            );
        }
    }
}
