//! `http.Writer` and `http.Events`: replies that are written as they come.

use std::future::Future;

use assay_plugin::{Error, Kind, Ref, Result, View, did_you_mean, object};
use hyper::body::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::{json, query};

/// What a `stream` function writes with.
pub struct Writer(pub(super) Sender<Bytes>);

/// What an `sse` function sends with.
pub struct Events(pub(super) Sender<Bytes>);

object! {
    /// Writes to a response.
    Writer as "http.Writer" {
        /// Sends bytes. Waits while the client takes no more.
        async fn __call = "fun(self: http.Writer, chunk: string)",
    }
}

object! {
    /// Sends server-sent events.
    Events as "http.Events" {
        /// Sends an event: a text, or `{data=, event=, id=, retry=}`. Waits while the client takes no more.
        async fn __call = "fun(self: http.Events, event: string|http.Event)",
    }
}

/// Between a function and its connection: when this many chunks are waiting, writing waits too.
pub(super) fn channel() -> (Sender<Bytes>, Receiver<Bytes>) {
    mpsc::channel(16)
}

impl Writer {
    fn __call(this: Ref<Writer>, chunk: &[u8]) -> impl Future<Output = Result<()>> + use<> {
        let chunk = Bytes::copy_from_slice(chunk);
        async move { send(&this.0, chunk).await }
    }
}

impl Events {
    fn __call(this: Ref<Events>, event: View<'_>) -> impl Future<Output = Result<()>> + use<> {
        let event = format(event);
        async move { send(&this.0, event?.into()).await }
    }
}

async fn send(sender: &Sender<Bytes>, chunk: Bytes) -> Result<()> {
    // An empty chunk would read as the end of the body.
    if chunk.is_empty() {
        return Ok(());
    }
    sender
        .send(chunk)
        .await
        .map_err(|_| Error::new("closed", "the response has ended, or the client has gone"))
}

const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// An event on the wire.
fn format(event: View<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let pairs = match event.kind()? {
        Kind::Str(_) | Kind::Buf(_) => {
            data(event, &mut out)?;
            out.push(b'\n');
            return Ok(out);
        }
        Kind::Map(pairs) => pairs,
        _ => {
            return Err(Error::argument(format!(
                "argument 1: expected a string or a table with `data`, got {}",
                event.type_name()
            )));
        }
    };
    for (key, value) in pairs {
        let name = key
            .as_bytes()
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        match &*name {
            "data" => data(value, &mut out)?,
            "event" | "id" => {
                let text = query::scalar(value).ok_or_else(|| {
                    Error::argument(format!(
                        "`{name}`: expected a string, got {}",
                        value.type_name()
                    ))
                })?;
                if text.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
                    return Err(Error::argument(format!(
                        "`{name}`: a line break in it would begin another field"
                    )));
                }
                line(&name, &text, &mut out);
            }
            "retry" => {
                let millis = value
                    .as_int()
                    .filter(|&millis| millis >= 0)
                    .ok_or_else(|| {
                        Error::argument(format!(
                            "`retry`: expected milliseconds from 0, got {}",
                            value.type_name()
                        ))
                    })?;
                line("retry", millis.to_string().as_bytes(), &mut out);
            }
            unknown => {
                let hint = match did_you_mean(unknown, FIELDS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the fields are {}", FIELDS.join(", ")),
                };
                return Err(
                    Error::argument(format!("unknown field `{}`", unknown.escape_debug()))
                        .hint(hint),
                );
            }
        }
    }
    out.push(b'\n');
    Ok(out)
}

/// One `data` line for each line: the browser joins them again. A table is sent as JSON.
fn data(value: View<'_>, out: &mut Vec<u8>) -> Result<()> {
    let text = match value.kind()? {
        Kind::List(_) | Kind::Map(_) => {
            json::encode(value).map_err(|error| error.context("`data`"))?
        }
        _ => query::scalar(value).ok_or_else(|| {
            Error::argument(format!(
                "`data`: expected a string or a table, got {}",
                value.type_name()
            ))
        })?,
    };
    let mut rest = &*text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        line("data", &rest[..at], out);
        let both = rest[at..].starts_with(b"\r\n");
        rest = &rest[at + 1 + usize::from(both)..];
    }
    line("data", rest, out);
    Ok(())
}

fn line(name: &str, text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(text);
    out.push(b'\n');
}
