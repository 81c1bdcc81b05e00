//! The family as scripts call it, through the kit's host, against published answers.

#![expect(clippy::disallowed_methods, reason = "a failure names the line")]

use assay_plugin::test::Host;
use assay_plugin::{Bytes, Error, IntoArgs, Value};

#[path = "crypto/digest.rs"]
mod digest;
#[path = "crypto/jwt.rs"]
mod jwt;
#[path = "crypto/random.rs"]
mod random;

fn host() -> Host {
    Host::new(&assay_crypto::ASSAY_PLUGIN)
}

fn text(function: &str, args: impl IntoArgs) -> String {
    host()
        .call(function, args)
        .unwrap_or_else(|error: Error| panic!("{function}: {error:?}"))
}

fn fails(function: &str, args: impl IntoArgs) -> Error {
    match host().call::<Value>(function, args) {
        Ok(value) => panic!("{function}: no error, but {value:?}"),
        Err(error) => error,
    }
}

/// A table from pairs.
fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

fn bytes(bytes: &[u8]) -> Bytes {
    Bytes(bytes.to_vec())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}
