//! Headers between Lua tables and the wire.

use std::borrow::Cow;

use assay_plugin::{Error, Kind, Result, Value, View};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};
use serde::ser::{Serialize, Serializer};

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
pub fn entries(headers: &HeaderMap) -> Vec<(&str, Cow<'_, [u8]>)> {
    if headers.keys_len() == headers.len() {
        return headers
            .iter()
            .map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_bytes())))
            .collect();
    }
    let joined = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let first = values.next().unwrap_or_default();
        if *name == SET_COOKIE {
            return Cow::Borrowed(first);
        }
        values.fold(Cow::Borrowed(first), |mut joined, value| {
            joined.to_mut().extend_from_slice(b", ");
            joined.to_mut().extend_from_slice(value);
            joined
        })
    };
    headers
        .keys()
        .map(|name| (name.as_str(), joined(name)))
        .collect()
}

/// [`entries`] of headers that a record keeps.
pub struct Table(pub HeaderMap);

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = entries(&self.0);
        serializer.collect_map(entries.iter().map(|(name, value)| (name, Raw(value))))
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
