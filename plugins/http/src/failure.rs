//! What failed, and in which phase: from a chain of causes to one line.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use assay_plugin::tls::rustls;
use assay_plugin::{Cx, Error, fragment};
use url::Url;

use crate::connect::failed_tls;

/// The phase, the reason and the redacted URL: `connect: connection refused (http://127.0.0.1:1/)`.
pub fn error(
    phase: impl Into<Cow<'static, str>>,
    reason: impl std::fmt::Display,
    url: &Url,
) -> Error {
    let phase = phase.into();
    let message = format!("{phase}: {reason} ({})", redacted(url));
    Error::new(phase, message)
}

/// What did not happen in time.
pub fn late(what: &str, timeout: Duration, url: &Url) -> Error {
    let seconds = timeout.as_secs_f64();
    error("timeout", format!("{what} within {seconds} s"), url)
}

/// How large a body may be, and who says so.
#[derive(Clone, Copy, Debug)]
pub struct Max {
    pub bytes: u64,
    by: By,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Body,
    Size,
    Host,
}

impl Max {
    /// The option `max_body`.
    pub fn body(bytes: u64) -> Self {
        let by = By::Body;
        Self { bytes, by }
    }

    /// The option `max_size` of downloads.
    pub fn size(bytes: u64) -> Self {
        let by = By::Size;
        Self { bytes, by }
    }

    /// The host's limit, where it is lower.
    pub fn limited(self, cx: &Cx) -> Self {
        match cx.limit("response") {
            Some(bytes) if bytes < self.bytes => Self {
                bytes,
                by: By::Host,
            },
            _ => self,
        }
    }
}

/// A body that is larger than it may be.
pub fn too_large(max: Max, url: &Url) -> Error {
    let error = error("body", format!("{LARGER}{} bytes", max.bytes), url);
    match max.by {
        By::Body => {
            error.hint("raise the option `max_body`, or read it in parts with `stream=true`")
        }
        By::Size => error.hint("raise the option `max_size`"),
        By::Host => error.hint("raise the limit: --response-limit=SIZE"),
    }
}

const LARGER: &str = "larger than ";

/// Whether another attempt may end differently.
pub fn may_pass(error: &Error) -> bool {
    match error.kind() {
        "dns" | "connect" | "proxy" | "timeout" | "response" => true,
        "body" => !error.message().starts_with(&format!("body: {LARGER}")),
        _ => false,
    }
}

/// From the error of a request that was sent, or with `reading` of its body.
pub fn of(failed: &(dyn StdError + 'static), url: &Url, reading: bool) -> Error {
    // Ours: of connecting, and of files that are sent.
    if let Some(ours) = find::<Error>(failed) {
        return again(ours, url);
    }
    // In TLS 1.3 a client's certificate is refused after the handshake.
    if let Some(tls) = find::<rustls::Error>(failed) {
        return again(&failed_tls(tls), url);
    }
    let phase = if reading { "body" } else { "response" };
    if find::<hyper::Error>(failed).is_some_and(hyper::Error::is_incomplete_message) {
        return error(phase, "the connection was closed before the end", url);
    }
    error(phase, deepest(failed), url)
}

/// An error as it was, with the URL.
fn again(ours: &Error, url: &Url) -> Error {
    let error = match ours.kind() {
        "permission" | "argument" => Error::new(ours.kind().to_owned(), ours.message()),
        phase => error(phase.to_owned(), ours.message(), url),
    };
    match ours.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Whether an HTTP/2 server said that it did nothing with the request: it is full, or about to go.
pub fn was_refused(failed: &(dyn StdError + 'static)) -> bool {
    find::<h2::Error>(failed).is_some_and(|error| {
        error.is_remote()
            && match error.reason() {
                Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
                Some(h2::Reason::NO_ERROR) => error.is_go_away(),
                _ => false,
            }
    })
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

/// The cause of all causes, as a fragment.
pub fn deepest(error: &(dyn StdError + 'static)) -> String {
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
