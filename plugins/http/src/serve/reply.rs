//! The table that a handler returns, and the response that it becomes.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use assay_plugin::abi::level;
use assay_plugin::{
    Cx, Error, Func, FuncCall, IntoVal, Kind, OwnedArg, Ref, Result, View, did_you_mean, from_view,
};
use hyper::body::{self, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tokio::sync::mpsc::Receiver;

use super::Server;
use super::access::Access;
use super::connection::{Connection, Phase, what};
use super::file::{self, Found, Part};
use super::stream::{Events, Writer, channel};
use super::websocket::Upgrade;
use crate::{headers, json};

/// What a handler returned, checked.
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    /// That a WebSocket may speak, the preferred one first.
    subprotocols: Vec<String>,
}

enum Content {
    /// With the content type that it has unless the handler says another.
    Whole(Bytes, Option<&'static str>),
    File(String),
    Stream(Func),
    Events(Func),
    WebSocket(Func),
}

const FIELDS: [&str; 9] = [
    "status",
    "headers",
    "json",
    "body",
    "file",
    "stream",
    "sse",
    "ws",
    "subprotocols",
];

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
            subprotocols: Vec::new(),
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
                "file" => match String::from_view(Some(value)) {
                    Ok(path) => Content::File(path),
                    Err(_) => return Err(expected("a path")),
                },
                "stream" | "sse" | "ws" => match value.kind()? {
                    Kind::Func(func) if name == "sse" => Content::Events(func),
                    Kind::Func(func) if name == "ws" => Content::WebSocket(func),
                    Kind::Func(func) => Content::Stream(func),
                    _ => return Err(expected("a function")),
                },
                "subprotocols" => {
                    reply.subprotocols = from_view(value)
                        .map_err(|error| wrong(format!("`{name}`: {}", error.message())))?;
                    continue;
                }
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
    /// The response; a stream begins to run. A WebSocket does once the response is sent.
    pub(super) fn into_response(
        self,
        server: &Rc<Server>,
        connection: &Rc<Connection>,
        request: &Rc<Parts>,
    ) -> Result<(Response<Body>, Option<Upgrade>)> {
        let (mut status, mut headers) = (self.status, self.headers);
        // How the body is framed is the server's to say, also where a handler passes on the headers
        // of a response that it got.
        let framing = [
            CONTENT_LENGTH,
            TRANSFER_ENCODING,
            CONNECTION,
            UPGRADE,
            HeaderName::from_static("keep-alive"),
        ];
        if !headers.is_empty() {
            for name in framing {
                headers.remove(name);
            }
        }
        let mut default = |name: HeaderName, value: &'static str| {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        };
        let stream = |frames, call| {
            Source::Stream(Stream {
                frames,
                call: Some(call),
                server: Rc::clone(server),
                request: Rc::clone(request),
                _turn: Turn(Rc::clone(connection)),
            })
        };
        let source = match self.content {
            Content::Whole(bytes, content_type) => {
                if let Some(content_type) = content_type {
                    default(CONTENT_TYPE, content_type);
                }
                connection.enter(Phase::Idle);
                Source::Whole(bytes)
            }
            Content::File(path) => {
                let turn = Turn(Rc::clone(connection));
                match file::find(&server.cx, &path, status, &mut headers, request)? {
                    Found::File(found, part) => {
                        status = found;
                        Source::File(part, turn)
                    }
                    Found::Nothing(found) => {
                        status = found;
                        Source::Whole(Bytes::new())
                    }
                    Found::Missing => {
                        return Ok((plain(StatusCode::NOT_FOUND, "not found\n"), None));
                    }
                }
            }
            Content::Stream(func) => {
                default(CONTENT_TYPE, "application/octet-stream");
                let (sender, frames) = channel();
                stream(frames, func.call((Ref::new(Writer(sender)),)))
            }
            Content::Events(func) => {
                default(CONTENT_TYPE, "text/event-stream");
                default(CACHE_CONTROL, "no-cache");
                let (sender, frames) = channel();
                stream(frames, func.call((Ref::new(Events(sender)),)))
            }
            Content::WebSocket(func) => {
                let agreed =
                    Upgrade::new(request, func, &self.subprotocols, headers, what(request));
                return Ok(match agreed {
                    Ok((response, upgrade)) => (response, Some(upgrade)),
                    Err(refused) => {
                        connection.enter(Phase::Idle);
                        (*refused, None)
                    }
                });
            }
        };
        let mut response = Response::new(Body {
            source,
            access: None,
        });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok((response, None))
    }
}

/// A response of the server's own.
pub fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from_static(text.as_bytes())));
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
pub struct Body {
    source: Source,
    /// What the access log will say when this was sent.
    pub access: Option<Box<Access>>,
}

enum Source {
    Whole(Bytes),
    File(
        Part,
        #[expect(dead_code, reason = "acts when it is dropped")] Turn,
    ),
    Stream(Stream),
}

/// A body that a Lua function writes while hyper sends it. Dropping it cancels the function.
struct Stream {
    frames: Receiver<Bytes>,
    call: Option<FuncCall<()>>,
    server: Rc<Server>,
    request: Rc<Parts>,
    _turn: Turn,
}

/// The handler's turn, which ends with this.
struct Turn(Rc<Connection>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

impl Body {
    pub fn whole(bytes: Bytes) -> Self {
        Self {
            source: Source::Whole(bytes),
            access: None,
        }
    }
}

impl body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => None,
            Source::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::File(part, _) => ready!(part.poll(cx)),
            Source::Stream(stream) => ready!(stream.poll(cx)),
        };
        if let (Some(access), Some(Ok(bytes))) = (&mut self.access, &frame) {
            access.bytes += bytes.len() as u64;
        }
        Poll::Ready(frame.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::File(part, _) => part.left() == 0,
            Source::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::File(part, _) => SizeHint::with_exact(part.left()),
            Source::Stream(_) => SizeHint::new(),
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
                log(&self.server.cx, &what(&self.request), &error);
                // The client sees a body that was cut short, not one that looks complete.
                return Poll::Ready(Some(Err(error)));
            }
            // What was written is still sent; who writes later is told.
            self.frames.close();
        }
    }
}
