//! Tokens and keys: nothing panics, and no token is accepted but the ones that were signed.

#![no_main]

use std::cell::RefCell;

use assay_plugin::test::Host;
use assay_plugin::{Bytes, Error, Value};
use libfuzzer_sys::fuzz_target;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!(
            "../../../plugins/crypto/tests/keys/",
            $name,
            ".pem"
        ))
    };
}

const SECRET: &str = "a secret of at least sixty-four bytes, so that nobody guesses it by luck";

/// Private half, public half, algorithm.
const KEYS: &[(&str, &str, &str)] = &[
    (SECRET, SECRET, "HS256"),
    (key!("p256"), key!("p256.pub"), "ES256"),
    (key!("p521"), key!("p521.pub"), "ES512"),
    (key!("ed25519"), key!("ed25519.pub"), "EdDSA"),
    (key!("rsa"), key!("rsa.pub"), "RS256"),
];

struct State {
    host: Host,
    /// The only ones.
    signed: Vec<String>,
}

thread_local!(static STATE: RefCell<State> = RefCell::new(State::new()));

impl State {
    fn new() -> Self {
        let host = Host::new(&assay_crypto::ASSAY_PLUGIN);
        let claims = Value::Map(vec![("sub".into(), "fuzz".into())]);
        let signed = KEYS
            .iter()
            .map(|(private, _, algorithm)| {
                host.call("jwt_sign", (claims.clone(), *private, *algorithm))
                    .expect("a signature")
            })
            .collect();
        Self { host, signed }
    }
}

fn contained<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_ne!(error.kind(), "panic", "{error:?}");
            None
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else {
        return;
    };
    STATE.with_borrow(|state| {
        let host = &state.host;
        let which = usize::from(mode >> 4) % KEYS.len();
        let (_, public, algorithm) = KEYS[which];
        match mode & 3 {
            // A token, against every key.
            0 => {
                contained(host.call::<Value>("jwt_decode", (Bytes(rest.to_vec()),)));
                for (_, public, _) in KEYS {
                    let verified =
                        host.call::<Value>("jwt_verify", (Bytes(rest.to_vec()), *public));
                    let known = state.signed.iter().any(|token| token.as_bytes() == rest);
                    assert!(contained(verified).is_none() || known, "accepted");
                }
            }
            // A signed token, changed at one place.
            1 => {
                let [place, byte, place_high, ..] = rest else {
                    return;
                };
                let mut token = state.signed[which].clone().into_bytes();
                let place = usize::from(u16::from_le_bytes([*place, *place_high]));
                let at = place % token.len();
                let changed = token[at] != *byte;
                token[at] = *byte;
                let verified = host.call::<Value>("jwt_verify", (Bytes(token), public));
                assert_eq!(contained(verified).is_some(), !changed, "at {at}");
            }
            // A key that verifies.
            2 => {
                let token = state.signed[which].as_str();
                contained(host.call::<Value>("jwt_verify", (token, Bytes(rest.to_vec()))));
            }
            // A key that signs.
            _ => {
                let claims = Value::Map(vec![("sub".into(), "fuzz".into())]);
                contained(
                    host.call::<String>("jwt_sign", (claims, Bytes(rest.to_vec()), algorithm)),
                );
            }
        }
    });
});
