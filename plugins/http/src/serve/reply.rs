//! The table that a handler returns, and the response that it becomes.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use assay_plugin::abi::level;
use assay_plugin::{
    Cx, Error, Func, FuncCall, IntoVal, Kind, OwnedArg, Ref, Result, View, did_you_mean,
};
use hyper::body::{self, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc::Receiver;

use super::Server;
use super::connection::{Connection, Phase};
use super::stream::{Events, Writer, channel};
use crate::{headers, json};

/// What a handler returned, checked.
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

enum Content {
    /// With the content type that it has unless the handler says another.
    Whole(Bytes, Option<&'static str>),
    Stream(Func),
    Events(Func),
}

const FIELDS: [&str; 6] = ["status", "headers", "json", "body", "stream", "sse"];

impl OwnedArg for Reply {
    fn from_view(view: Option<View<'_>>) -> Result<Self> {
        let wrong = |what: String| Error::argument(format!("the handler's response: {what}"));
        let pairs = match view.map(View::kind).transpose()? {
            Some(Kind::Map(pairs)) => Some(pairs),
            Some(Kind::List(items)) if items.len() == 0 => None,
            _ => {
                let got = view.map_or("nothing", View::type_name);
                return Err(wrong(format!("expected a table, got {got}"))
                    .hint("return {status = 200, body = \"...\"}"));
            }
        };
        let mut reply = Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            content: Content::Whole(Bytes::new(), None),
        };
        let mut content = None;
        for (key, value) in pairs.into_iter().flatten() {
            let name = match key.as_bytes().map(std::str::from_utf8) {
                Some(Ok(name)) => name,
                _ => {
                    return Err(wrong(format!(
                        "a field must have a name, got a key of type {}",
                        key.type_name()
                    )));
                }
            };
            let expected = |what: &str| {
                wrong(format!(
                    "`{name}`: expected {what}, got {}",
                    value.type_name()
                ))
            };
            let found = match name {
                "status" => {
                    let status = value.as_int().ok_or_else(|| expected("an integer"))?;
                    // 1xx are not responses to end with.
                    let status = u16::try_from(status)
                        .ok()
                        .filter(|status| (200..1000).contains(status));
                    reply.status = status
                        .and_then(|status| StatusCode::from_u16(status).ok())
                        .ok_or_else(|| {
                            wrong("`status`: expected an integer from 200 to 999".into())
                        })?;
                    continue;
                }
                "headers" => {
                    reply.headers = headers::from_table(value)
                        .map_err(|error| wrong(error.message().into()))?;
                    continue;
                }
                "body" => match value.as_bytes() {
                    Some(bytes) => Content::Whole(
                        Bytes::copy_from_slice(bytes),
                        Some("text/plain; charset=utf-8"),
                    ),
                    None => return Err(expected("a string").hint("a table is returned as `json`")),
                },
                "json" => {
                    let text = json::encode(value)
                        .map_err(|error| wrong(format!("`json`: {}", error.message())))?;
                    Content::Whole(text.into(), Some("application/json"))
                }
                "stream" | "sse" => match value.kind()? {
                    Kind::Func(func) if name == "sse" => Content::Events(func),
                    Kind::Func(func) => Content::Stream(func),
                    _ => return Err(expected("a function")),
                },
                unknown => {
                    let hint = match did_you_mean(unknown, FIELDS) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the fields are {}", FIELDS.join(", ")),
                    };
                    return Err(
                        wrong(format!("unknown field `{}`", unknown.escape_debug())).hint(hint)
                    );
                }
            };
            if let Some((other, _)) = content.replace((name, found)) {
                return Err(wrong(format!(
                    "there are two bodies: `{other}` and `{name}`"
                )));
            }
        }
        if let Some((_, found)) = content {
            reply.content = found;
        }
        Ok(reply)
    }
}

impl Reply {
    /// The response; a stream begins to run. `what` is the request, for the log.
    pub fn into_response(
        self,
        server: &Rc<Server>,
        connection: &Rc<Connection>,
        what: String,
    ) -> Response<Body> {
        let mut headers = self.headers;
        // How the body is framed is the server's to say, also where a handler passes on the headers
        // of a response that it got.
        for name in [
            CONTENT_LENGTH,
            TRANSFER_ENCODING,
            CONNECTION,
            UPGRADE,
            HeaderName::from_static("keep-alive"),
        ] {
            headers.remove(name);
        }
        let mut default = |name: HeaderName, value: &'static str| {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        };
        let stream = |frames, call| Stream {
            frames,
            call: Some(call),
            server: Rc::clone(server),
            connection: Rc::clone(connection),
            what,
        };
        let body = match self.content {
            Content::Whole(bytes, content_type) => {
                if let Some(content_type) = content_type {
                    default(CONTENT_TYPE, content_type);
                }
                connection.enter(Phase::Idle);
                Body::Whole(bytes)
            }
            Content::Stream(func) => {
                default(CONTENT_TYPE, "application/octet-stream");
                let (sender, frames) = channel();
                Body::Stream(stream(frames, func.call((Ref::new(Writer(sender)),))))
            }
            Content::Events(func) => {
                default(CONTENT_TYPE, "text/event-stream");
                default(CACHE_CONTROL, "no-cache");
                let (sender, frames) = channel();
                Body::Stream(stream(frames, func.call((Ref::new(Events(sender)),))))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// A response of the server's own.
pub fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Logs what a handler raised.
pub fn log(cx: &Cx, what: &str, error: &Error) {
    let (kind, hint, traceback) = (error.kind(), error.hint_text(), error.traceback());
    let mut fields: Vec<(&str, &dyn IntoVal)> = vec![("kind", &kind)];
    if let Some(hint) = &hint {
        fields.push(("hint", hint));
    }
    if let Some(traceback) = &traceback {
        fields.push(("traceback", traceback));
    }
    cx.log_fields(
        level::ERROR,
        &format!("http.serve: the handler of {what} failed: {error}"),
        &fields,
    );
}

/// A response's body.
pub enum Body {
    Whole(Bytes),
    Stream(Stream),
}

/// A body that a Lua function writes while hyper sends it. Dropping it cancels the function.
pub struct Stream {
    frames: Receiver<Bytes>,
    call: Option<FuncCall<()>>,
    server: Rc<Server>,
    connection: Rc<Connection>,
    what: String,
}

impl body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => stream
                .poll(cx)
                .map(|frame| frame.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::new(),
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Poll::Ready(frame) = self.frames.poll_recv(cx) {
                return Poll::Ready(frame.map(Ok));
            }
            let Some(call) = &mut self.call else {
                return Poll::Pending;
            };
            let Poll::Ready(result) = Pin::new(call).poll(cx) else {
                return Poll::Pending;
            };
            self.call = None;
            if let Err(error) = result {
                log(&self.server.cx, &self.what, &error);
                // The client sees a body that was cut short, not one that looks complete.
                return Poll::Ready(Some(Err(error)));
            }
            // What was written is still sent; who writes later is told.
            self.frames.close();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.enter(Phase::Idle);
    }
}
