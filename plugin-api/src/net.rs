//! Names into addresses that the script may connect to.
//!
//! A permission is asked for twice: for the name, by whoever connects ([`Cx::require`]), and for each
//! address that it turned out to be, here. Connect to what [`resolve`] returned and to nothing else:
//! a name that is looked up again may lead elsewhere.

use std::net::SocketAddr;

use crate::error::{Error, Result};
use crate::host::Cx;

/// The addresses of `host`, which may be a name or a literal, that the script may connect to. On the
/// plugin's tokio thread.
///
/// # Errors
/// Kind `dns` for a name that cannot be resolved; kind `permission` when it leads only to addresses
/// that are not allowed.
pub async fn resolve(cx: &Cx, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, port))
        .await
        .map_err(|error| Error::new("dns", format!("cannot resolve {host}: {}", reason(&error))))?
        .collect();
    let mut denied = None;
    let mut allowed = Vec::with_capacity(found.len());
    for address in found {
        match cx.require_address(host, address) {
            Ok(()) => allowed.push(address),
            Err(error) => denied = Some(error),
        }
    }
    match denied {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(error) => Err(error),
        None => Err(Error::new(
            "dns",
            format!("cannot resolve {host}: it has no address"),
        )),
    }
}

/// What the resolver said, without the call that it names.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit(": ").next().unwrap_or_default();
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| {
            std::iter::once(first.to_ascii_lowercase())
                .chain(chars)
                .collect()
        })
        .unwrap_or_default()
}
