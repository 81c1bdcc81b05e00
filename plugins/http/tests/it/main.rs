//! The client against real sockets, through the kit's fake host. The server needs a reactor: its
//! tests are the scripts in `tests/lua/http`.

#![expect(clippy::disallowed_methods, reason = "a failure names the line")]

mod client;
mod connections;
mod download;
mod failures;
mod mock;
mod multipart;
mod options;
mod redirects;
mod retries;
mod stream;
mod tls;

use assay_plugin::test::Host;
use assay_plugin::{Error, Value};

pub fn host() -> Host {
    Host::new(&assay_http::ASSAY_PLUGIN)
}

/// A table with names.
pub fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(
        pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}

pub fn list<const N: usize>(items: [&str; N]) -> Value {
    Value::List(items.into_iter().map(Value::from).collect())
}

pub fn get(url: &str, options: Value) -> Result<Value, Error> {
    host().call("get", (url, options))
}

pub fn post(url: &str, body: Value, options: Value) -> Result<Value, Error> {
    host().call("post", (url, body, options))
}

/// The bytes of a body, small or large.
pub fn body(response: &Value) -> Vec<u8> {
    match response.get("body") {
        Some(Value::Bytes(bytes)) => bytes.clone(),
        Some(Value::Buf(buf)) => buf.to_vec(),
        other => panic!("no body: {other:?}"),
    }
}
