//! What failed, and in which phase.

use std::error::Error as StdError;
use std::io;

use assay_plugin::Error;
use assay_plugin::tls::{self, rustls};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as Failure, ProtocolError};

/// The phase, the reason and the redacted URL: `connect: connection refused (ws://127.0.0.1:1/)`.
pub fn error(phase: &'static str, reason: impl std::fmt::Display, shown: &str) -> Error {
    Error::new(phase, format!("{phase}: {reason} ({shown})"))
}

/// The same for an error whose kind is the phase. What is not allowed says itself where.
pub fn located(failed: Error, shown: &str) -> Error {
    let phase = failed.kind();
    if phase == "permission" {
        return failed;
    }
    let text = format!("{phase}: {} ({shown})", failed.message());
    let error = Error::new(phase.to_owned(), text);
    match failed.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Why TLS failed.
pub fn of_tls(failed: &io::Error) -> Error {
    let inner = failed
        .get_ref()
        .and_then(|error| error.downcast_ref::<rustls::Error>());
    let Some(inner) = inner else {
        return Error::new("tls", reason(failed));
    };
    let (reason, hint) = tls::explain(inner, "`ca_cert`");
    let error = Error::new("tls", reason);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Why an open connection was lost, and the code to say so to the server.
pub fn lost(failed: &Failure, shown: &str) -> (Error, Option<u16>) {
    let closed = |why: String| {
        Error::new(
            "closed",
            format!("the connection was lost: {why} ({shown})"),
        )
    };
    let protocol = |why: String| {
        Error::new(
            "protocol",
            format!("the server broke the protocol: {why} ({shown})"),
        )
    };
    match failed {
        Failure::Io(failed) => match failed
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            Some(inner) => (closed(inner.to_string()), None),
            None => (closed(reason(failed)), None),
        },
        Failure::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            (closed("it ended without a closing handshake".into()), None)
        }
        Failure::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            let what =
                format!("a message of {size} bytes, more than may come ({max_size}) ({shown})");
            let error = Error::new("size", what)
                .hint("raise the option `max_message`, and --response-limit where that is lower");
            (error, Some(1009))
        }
        Failure::Utf8(_) => (protocol("a text that is not UTF-8".into()), Some(1007)),
        Failure::Protocol(why) => (protocol(fragment(&why.to_string())), Some(1002)),
        other => (closed(fragment(&other.to_string())), None),
    }
}

/// An I/O error as a fragment: `connection refused`.
pub fn reason(error: &io::Error) -> String {
    let inner: &dyn StdError = match error.get_ref() {
        Some(inner) => inner,
        None => error,
    };
    fragment(&inner.to_string())
}

fn fragment(text: &str) -> String {
    let text = text.split_once(" (os error").map_or(text, |(text, _)| text);
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}
