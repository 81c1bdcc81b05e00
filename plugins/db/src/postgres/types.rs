//! Between PostgreSQL's texts and Lua values.

use std::borrow::Cow;
use std::sync::Arc;

use assay_plugin::Value;

use crate::json;

/// What matters about a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int,
    Float,
    Bytea,
    Json,
    Timestamp,
    TimestampTz,
    /// Whatever the server prints.
    #[default]
    Text,
    /// As the catalogue has it: of an OID, with a delimiter.
    Array(u32, u8),
    /// As the catalogue has it: over an OID.
    Domain(u32),
    /// An array whose elements are known.
    ArrayOf(Arc<Type>, u8),
}

impl Type {
    /// The scalars of `pg_type.dat`, whose OIDs never change.
    pub fn built_in(oid: u32) -> Option<Self> {
        Some(match oid {
            16 => Self::Bool,
            // int8, int2, int4, oid.
            20 | 21 | 23 | 26 => Self::Int,
            700 | 701 => Self::Float,
            17 => Self::Bytea,
            114 | 3802 => Self::Json,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            // "char", name, text, unknown, money, bpchar, varchar, date, time, interval, timetz,
            // numeric, uuid.
            18 | 19 | 25 | 705 | 790 | 1042 | 1043 | 1082 | 1083 | 1186 | 1266 | 1700 | 2950 => {
                Self::Text
            }
            _ => return None,
        })
    }

    /// The type that must be known to know this one.
    pub fn part(&self) -> Option<u32> {
        match self {
            Self::Array(oid, _) | Self::Domain(oid) => Some(*oid),
            _ => None,
        }
    }
}

/// A value that the server printed.
pub fn decode(text: &[u8], kind: &Type, nulls: bool) -> Value {
    let as_text = || Value::Bytes(text.to_vec());
    match kind {
        Type::Bool => Value::Bool(text == b"t"),
        Type::Int => parse(text).map_or_else(as_text, Value::Int),
        Type::Float => float(text).map_or_else(as_text, Value::Float),
        Type::Bytea => bytea(text).map_or_else(as_text, Value::Bytes),
        Type::Json => json::decode(text, nulls),
        Type::Timestamp | Type::TimestampTz => Value::Bytes(timestamp(text)),
        Type::ArrayOf(element, delimiter) => {
            let mut array = Array {
                text,
                at: 0,
                delimiter: *delimiter,
            };
            match array.read(element, 0) {
                Some(value) if array.at == text.len() => value,
                // int2vector and its like are arrays that are not printed as such.
                _ => as_text(),
            }
        }
        Type::Text | Type::Array(..) | Type::Domain(_) => as_text(),
    }
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn float(text: &[u8]) -> Option<f64> {
    match text {
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        b"NaN" => Some(f64::NAN),
        _ => parse(text),
    }
}

/// `\x6869`, or with `bytea_output = escape` `hi\000\\`.
fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    if let Some(hex) = text.strip_prefix(b"\\x") {
        return hex
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                out.push(*byte);
                tail
            }
        };
    }
    Some(out)
}

/// `2024-01-31 12:34:56.789+00` as RFC 3339 has it. What has no such form (`infinity`, years before
/// Christ) stays as it is.
fn timestamp(text: &[u8]) -> Vec<u8> {
    let plain = text
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b':' | b'.' | b' '));
    let Some(space) = text.iter().position(|&byte| byte == b' ').filter(|_| plain) else {
        return text.to_vec();
    };
    let (date, time) = (&text[..space], &text[space + 1..]);
    let mut out = Vec::with_capacity(text.len() + 3);
    out.extend_from_slice(date);
    out.push(b'T');
    let zone = time
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-'))
        .unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    out.extend_from_slice(clock);
    match zone {
        b"+00" => out.push(b'Z'),
        [_, _, _] => {
            out.extend_from_slice(zone);
            out.extend_from_slice(b":00");
        }
        _ => out.extend_from_slice(zone),
    }
    out
}

/// A reader of `{1,"two",NULL,{...}}`, or with bounds `[0:1]={...}`.
struct Array<'a> {
    text: &'a [u8],
    at: usize,
    delimiter: u8,
}

impl Array<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn read(&mut self, element: &Type, depth: usize) -> Option<Value> {
        if depth == 0 && self.peek() == Some(b'[') {
            self.at = self.text.iter().position(|&byte| byte == b'=')? + 1;
        }
        // PostgreSQL has six dimensions.
        if self.peek()? != b'{' || depth > 6 {
            return None;
        }
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Value::List(items));
        }
        loop {
            items.push(match self.peek()? {
                b'{' => self.read(element, depth + 1)?,
                _ => self.item(element)?,
            });
            let next = self.peek()?;
            self.at += 1;
            match next {
                b'}' => return Some(Value::List(items)),
                byte if byte == self.delimiter => {}
                _ => return None,
            }
        }
    }

    fn item(&mut self, element: &Type) -> Option<Value> {
        let mut text = Vec::new();
        if self.peek()? == b'"' {
            self.at += 1;
            loop {
                let byte = self.peek()?;
                self.at += 1;
                match byte {
                    b'"' => break,
                    b'\\' => {
                        text.push(self.peek()?);
                        self.at += 1;
                    }
                    byte => text.push(byte),
                }
            }
        } else {
            while let Some(byte) = self
                .peek()
                .filter(|&byte| byte != self.delimiter && byte != b'}')
            {
                self.at += 1;
                match byte {
                    b'\\' => {
                        text.push(self.peek()?);
                        self.at += 1;
                    }
                    byte => text.push(byte),
                }
            }
            // A list keeps its length: absence has no place in one.
            if text == b"NULL" {
                return Some(Value::Null);
            }
        }
        Some(decode(&text, element, true))
    }
}

/// A parameter on its way.
pub enum Parameter<'a> {
    Null,
    Text(Cow<'a, [u8]>),
    Binary(&'a [u8]),
}

impl Parameter<'_> {
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text),
            Self::Binary(bytes) => Some(bytes),
        }
    }
}

/// Whether a value is written in one way for every type. A string is, unless it could be a `bytea`
/// that is read otherwise than it is meant.
pub fn is_plain(value: &Value, is_utf8: bool) -> bool {
    let text = |bytes: &[u8]| {
        !bytes.iter().any(|byte| matches!(byte, 0 | b'\\'))
            && (bytes.is_ascii() || (is_utf8 && std::str::from_utf8(bytes).is_ok()))
    };
    match value {
        Value::Bytes(bytes) => text(bytes),
        Value::Buf(bytes) => text(bytes),
        Value::Float(float) => float.fract() != 0.0 || !float.is_finite(),
        Value::List(_) | Value::Map(_) => false,
        _ => true,
    }
}

/// A Lua value for a parameter of a type.
///
/// # Errors
/// What the value is, where it cannot be one.
pub fn encode<'a>(value: &'a Value, kind: &Type) -> Result<Parameter<'a>, String> {
    match (value, kind) {
        (Value::Nil | Value::Null, _) => Ok(Parameter::Null),
        (Value::Bytes(bytes), Type::Bytea) => Ok(Parameter::Binary(bytes)),
        (Value::Buf(bytes), Type::Bytea) => Ok(Parameter::Binary(bytes)),
        (Value::Bytes(bytes), _) => text(bytes),
        (Value::Buf(bytes), _) => text(bytes),
        (Value::List(_) | Value::Map(_), Type::Json) => json::encode(value).map(own),
        (Value::List(items), Type::ArrayOf(element, delimiter)) => {
            let mut out = Vec::new();
            array(items, element, *delimiter, &mut out)?;
            Ok(own(out))
        }
        // Lua's empty table is a map.
        (Value::Map(pairs), Type::ArrayOf(..)) if pairs.is_empty() => Ok(own(b"{}".to_vec())),
        (Value::Map(_), Type::ArrayOf(..)) => Err("a table that is no list, for an array".into()),
        (Value::List(_) | Value::Map(_), _) => {
            Err("a table, for a type that is neither an array nor json".into())
        }
        (value, kind) => scalar(value, kind).map(|text| own(text.into_bytes())),
    }
}

fn own(text: Vec<u8>) -> Parameter<'static> {
    Parameter::Text(Cow::Owned(text))
}

fn text(bytes: &[u8]) -> Result<Parameter<'_>, String> {
    checked(bytes)?;
    Ok(Parameter::Text(Cow::Borrowed(bytes)))
}

fn checked(bytes: &[u8]) -> Result<(), String> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        return Err(format!(
            "a string that is not UTF-8 (byte {:#04x} at offset {at}), for a type that is not bytea",
            bytes[at]
        ));
    }
    if bytes.contains(&0) {
        return Err("a string with a zero byte, which only bytea can hold".into());
    }
    Ok(())
}

fn scalar(value: &Value, kind: &Type) -> Result<String, String> {
    Ok(match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(float) if float.is_nan() => "NaN".into(),
        Value::Float(float) if float.is_infinite() => if *float > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .into(),
        // 3.0 is an integer where one is wanted.
        Value::Float(float)
            if *kind == Type::Int && float.fract() == 0.0 && float.abs() < 9.2e18 =>
        {
            (*float as i64).to_string()
        }
        Value::Float(float) => format!("{float:?}"),
        Value::Func(_) => return Err("a function".into()),
        Value::Object(object) => return Err(format!("a {}", object.type_name())),
        other => return Err(format!("{other:?}")),
    })
}

fn array(items: &[Value], element: &Type, delimiter: u8, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(delimiter);
        }
        let inner = match item {
            Value::List(inner) if *element != Type::Json => {
                array(inner, element, delimiter, out)?;
                continue;
            }
            Value::Nil | Value::Null => {
                out.extend_from_slice(b"NULL");
                continue;
            }
            Value::Bytes(bytes) if *element == Type::Bytea => Cow::Owned(hex(bytes)),
            Value::Buf(bytes) if *element == Type::Bytea => Cow::Owned(hex(bytes)),
            item => match encode(item, element)? {
                Parameter::Text(text) => text,
                _ => return Err("an element that has no text".into()),
            },
        };
        out.push(b'"');
        for &byte in inner.iter() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
    out.push(b'}');
    Ok(())
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = b"\\x".to_vec();
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints() -> Type {
        Type::ArrayOf(Arc::new(Type::Int), b',')
    }

    #[test]
    fn timestamps_are_rfc_3339_where_they_can_be() {
        for (text, expected) in [
            ("2024-01-31 12:34:56.789+00", "2024-01-31T12:34:56.789Z"),
            ("2024-01-31 12:34:56+05:30", "2024-01-31T12:34:56+05:30"),
            ("2024-01-31 12:34:56-08", "2024-01-31T12:34:56-08:00"),
            ("2024-01-31 12:34:56", "2024-01-31T12:34:56"),
            ("0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC"),
            ("-infinity", "-infinity"),
        ] {
            assert_eq!(timestamp(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn bytea_in_both_of_its_forms() {
        assert_eq!(bytea(b"\\x00ff41"), Some(vec![0, 255, 65]));
        assert_eq!(bytea(b"A\\000\\377\\\\"), Some(vec![65, 0, 255, 92]));
        assert_eq!(bytea(b"\\x0"), None);
        assert_eq!(bytea(b"\\9"), None);
    }

    #[test]
    fn arrays_with_all_that_can_be_in_them() {
        let texts = Type::ArrayOf(Arc::new(Type::Text), b',');
        assert_eq!(
            decode(br#"{a,"b,c","d\"e",NULL,"NULL",""}"#, &texts, false),
            Value::List(vec![
                "a".into(),
                "b,c".into(),
                "d\"e".into(),
                Value::Null,
                "NULL".into(),
                "".into()
            ])
        );
        assert_eq!(
            decode(b"[0:1][2:3]={{1,2},{3,NULL}}", &ints(), false),
            Value::List(vec![
                Value::List(vec![Value::Int(1), Value::Int(2)]),
                Value::List(vec![Value::Int(3), Value::Null]),
            ])
        );
        assert_eq!(decode(b"{}", &ints(), false), Value::List(vec![]));
        // What is no array, and what is broken, stays text.
        for text in ["1 2 3", "{1", "{1,2}x", "", "{\"", "[", "{1\\"] {
            assert_eq!(decode(text.as_bytes(), &ints(), false), Value::from(text));
        }
    }

    #[test]
    fn arrays_are_written_as_they_are_read() {
        let texts = Type::ArrayOf(Arc::new(Type::Text), b',');
        let value = Value::List(vec![
            "a\"\\b".into(),
            Value::Null,
            "NULL".into(),
            "{}".into(),
        ]);
        let encoded = encode(&value, &texts).unwrap();
        assert_eq!(decode(encoded.bytes().unwrap(), &texts, false), value);
    }
}
