//! Headers between Lua tables and the wire.

use std::borrow::Borrow;

use assay_plugin::{Error, Kind, Result, Value, View};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::query::scalar;

/// Reads a table of headers; a value may be a list. Errors name the header.
pub fn from_table(table: View<'_>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let pairs = match table.kind()? {
        Kind::Map(pairs) => pairs,
        Kind::List(items) if items.len() == 0 => return Ok(headers),
        _ => {
            return Err(Error::argument(format!(
                "`headers`: expected a table of names and values, got {}",
                table.type_name()
            )));
        }
    };
    for (key, value) in pairs {
        let Some(bytes) = key.as_bytes() else {
            return Err(Error::argument(format!(
                "`headers`: a name must be a string, got {}",
                key.type_name()
            )));
        };
        let shown = String::from_utf8_lossy(bytes).escape_debug().to_string();
        let name = HeaderName::from_bytes(bytes)
            .map_err(|_| Error::argument(format!("header `{shown}`: not a valid name")))?;
        let mut add = |value: View<'_>| {
            let Some(bytes) = scalar(value) else {
                return Err(Error::argument(format!(
                    "header `{shown}`: expected a string, number, boolean or a list of them, got {}",
                    value.type_name()
                )));
            };
            let value = HeaderValue::from_bytes(&bytes).map_err(|_| {
                Error::argument(format!(
                    "header `{shown}`: the value holds a line break or another control character"
                ))
            })?;
            headers.append(name.clone(), value);
            Ok(())
        };
        match value.kind()? {
            Kind::List(mut items) => items.try_for_each(add)?,
            _ => add(value)?,
        }
    }
    Ok(headers)
}

/// Replaces what `headers` has under the names of `others`.
pub fn replace(headers: &mut HeaderMap, others: HeaderMap) {
    for name in others.keys() {
        headers.remove(name);
    }
    let mut last = None;
    for (name, value) in others {
        last = name.or(last);
        if let Some(name) = &last {
            headers.append(name, value);
        }
    }
}

/// Headers as scripts see them: lower-case names; values of a repeated header joined with `, `,
/// of `set-cookie`, which cannot be joined, the first.
pub struct Table<H>(pub H);

impl<H: Borrow<HeaderMap>> Serialize for Table<H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = self.0.borrow();
        let mut map = serializer.serialize_map(Some(headers.keys_len()))?;
        for name in headers.keys() {
            let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
            let first = values.next().unwrap_or_default();
            let second = if *name == SET_COOKIE {
                None
            } else {
                values.next()
            };
            match second {
                None => map.serialize_entry(name.as_str(), &Raw(first))?,
                Some(second) => {
                    let mut joined = first.to_vec();
                    for value in std::iter::once(second).chain(values) {
                        joined.extend_from_slice(b", ");
                        joined.extend_from_slice(value);
                    }
                    map.serialize_entry(name.as_str(), &Raw(&joined))?;
                }
            }
        }
        map.end()
    }
}

struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// All values of the headers that occur more than once, by name; nil without any.
pub fn repeated(headers: &HeaderMap) -> Value {
    if headers.keys_len() == headers.len() {
        return Value::Nil;
    }
    let names = headers
        .keys()
        .filter(|name| headers.get_all(*name).iter().nth(1).is_some());
    Value::Map(
        names
            .map(|name| {
                let values = headers
                    .get_all(name)
                    .iter()
                    .map(|value| Value::Bytes(value.as_bytes().to_vec()));
                (Value::from(name.as_str()), Value::List(values.collect()))
            })
            .collect(),
    )
}
