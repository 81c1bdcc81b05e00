//! What failed, and in which phase: from reqwest's chain of causes to one line.

use std::error::Error as StdError;
use std::io;

use assay_plugin::tls::{explain, rustls};
use assay_plugin::{Error, fragment};
use reqwest::Url;

/// The phase, the reason and the redacted URL: `connect: connection refused (http://127.0.0.1:1/)`.
pub fn error(phase: &'static str, reason: impl std::fmt::Display, url: &Url) -> Error {
    Error::new(phase, format!("{phase}: {reason} ({})", redacted(url)))
}

/// From the error of a request that was sent, or with `reading` of its body.
pub fn of(failed: &reqwest::Error, url: &Url, reading: bool) -> Error {
    if failed.is_builder() {
        return Error::argument(format!("{} ({})", deepest(failed), redacted(url)));
    }
    if let Some(tls) = find::<rustls::Error>(failed) {
        let (reason, hint) = explain(tls, "`ca_cert` to http.client");
        let error = error("tls", reason, url);
        return match hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
    }
    if failed.is_dns() {
        return via_proxy(error("dns", deepest(failed), url), url);
    }
    if failed.is_timeout() {
        let what = if failed.is_connect() {
            "connecting took too long"
        } else {
            "no answer in time"
        };
        return via_proxy(error("timeout", what, url), url);
    }
    if failed.is_connect() {
        return via_proxy(error("connect", deepest(failed), url), url);
    }
    let phase = if reading { "body" } else { "response" };
    if find::<hyper::Error>(failed).is_some_and(hyper::Error::is_incomplete_message) {
        return error(phase, "the connection was closed before the end", url);
    }
    error(phase, deepest(failed), url)
}

/// Connections may have gone to a proxy instead, which nobody sees in the URL.
fn via_proxy(error: Error, url: &Url) -> Error {
    let variables: &[&str] = match url.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    match variables
        .iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        Some(name) => error.hint(format!(
            "{name} is set: unless NO_PROXY lists the host, the connection goes to that proxy"
        )),
        None => error,
    }
}

/// Without user, password and query, which hold secrets.
pub fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    // Only a URL without host refuses these, and then it has neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let query = url.query().is_some();
    url.set_query(None);
    format!("{url}{}", if query { "?..." } else { "" })
}

/// An I/O error as a fragment: `connection refused`.
pub fn reason(error: &io::Error) -> String {
    fragment(&error.to_string())
}

fn deepest(error: &(dyn StdError + 'static)) -> String {
    fragment(&chain(error).last().unwrap_or(error).to_string())
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// An error and its causes. `io::Error::source` skips the error that it wraps; this does not.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| below(error))
}

fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets() {
        let url = Url::parse("https://user:pass@host:8443/a?token=x#frag").unwrap();
        assert_eq!(redacted(&url), "https://host:8443/a?...");
    }
}
