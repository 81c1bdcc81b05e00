//! JSON columns and parameters.

use assay_plugin::{Value, json};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

/// A Lua value as JSON text.
///
/// # Errors
/// What JSON cannot hold.
pub fn encode(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(&Json(value)).map_err(|error| format!("JSON cannot hold {error}"))
}

/// JSON text as a Lua value; the text itself where Lua could not hold an integer of it exactly, or
/// where it is too deep: a column must not fail its row.
pub fn decode(text: &[u8], nulls: bool) -> Value {
    json::read(text, nulls).unwrap_or_else(|_| Value::Bytes(text.to_vec()))
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
        assert_eq!(decode(b"1e30", false), Value::Float(1e30));
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
