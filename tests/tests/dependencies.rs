//! Crates that may not come in, with the reason. `deny.toml` has the same list for those who have
//! cargo-deny; this case needs nothing but `Cargo.lock`.

use libtest_mimic::Trial;

use crate::layering::none;
use crate::{Outcome, case, read};

const REFUSED: [(&str, &str); 12] = [
    ("openssl", "one TLS stack: rustls with ring"),
    ("openssl-sys", "one TLS stack: rustls with ring"),
    ("native-tls", "one TLS stack: rustls with ring"),
    ("aws-lc-rs", "0.7 MB more than ring, and needs cmake"),
    ("aws-lc-sys", "0.7 MB more than ring, and needs cmake"),
    ("serde_yaml", "unmaintained"),
    ("serde_yml", "RUSTSEC-2025-0068"),
    ("libyml", "RUSTSEC-2025-0067"),
    ("yaml-rust", "unmaintained: RUSTSEC-2024-0320"),
    (
        "axum",
        "http.serve is on hyper alone (plugins/http/Cargo.toml)",
    ),
    (
        "oci-client",
        "replaced where it falls short (registry/Cargo.toml)",
    ),
    ("rsa", "a timing leak without a fix: RUSTSEC-2023-0071"),
];

pub fn cases() -> Vec<Trial> {
    vec![
        case("dependencies::none_is_refused", none_is_refused),
        case("dependencies::deny_toml", deny_toml),
    ]
}

fn none_is_refused() -> Outcome {
    let lock = read("Cargo.lock")?;
    let present: Vec<String> = REFUSED
        .iter()
        .filter(|(name, _)| lock.contains(&format!("\nname = \"{name}\"\n")))
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    none(&present, "crates in Cargo.lock that are refused")
}

fn deny_toml() -> Outcome {
    let deny = read("deny.toml")?;
    let missing: Vec<String> = REFUSED
        .iter()
        .filter(|(name, _)| !deny.contains(&format!("crate = \"{name}\"")))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    none(&missing, "refused crates that deny.toml does not list")
}
