//! `http.WebSocket`: a connection that was upgraded, and what a `ws` function talks through.
//!
//! The protocol is tungstenite's. The connection's task alone touches the socket; the object that
//! the script holds is two channels to it, so that functions may send while others receive.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use assay_plugin::{Buf, Error, Func, Ref, Result, object, reactor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use tokio::sync::Mutex;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender};
use tungstenite::error::{CapacityError, Error as Failure, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};

use super::Server;
use super::connection::{Connection, Order, Phase};
use super::reply::{self, Body};
use super::socket::Socket;
use crate::request::seconds;

/// What a `ws` function gets.
pub struct WebSocket {
    outgoing: Sender<Message>,
    incoming: Mutex<Receiver<Message>>,
    subprotocol: Option<String>,
    end: Arc<OnceLock<End>>,
}

/// How a connection ended.
enum End {
    /// With a closing handshake.
    Closed,
    /// In any other way.
    Lost(String),
}

object! {
    /// A WebSocket that a client opened.
    WebSocket as "http.WebSocket" {
        /// Sends a text message, which must be UTF-8. Waits while the client takes no more.
        async fn send = "fun(self: http.WebSocket, text: string)",
        /// Sends a binary message. Waits while the client takes no more.
        async fn send_binary = "fun(self: http.WebSocket, bytes: string)",
        /// Waits for the next message; nil when the connection was closed.
        async fn recv = "fun(self: http.WebSocket, timeout?: number): string?",
        /// Closes the connection and waits until the client did, too.
        async fn close = "fun(self: http.WebSocket, code?: integer, reason?: string)",
        /// Its fields.
        fn __index = "fun(self: http.WebSocket, name: string): any",
    }
}

impl WebSocket {
    fn send(this: Ref<Self>, text: &[u8]) -> impl Future<Output = Result<()>> + use<> {
        let message = Utf8Bytes::try_from(Bytes::copy_from_slice(text)).map_err(|error| {
            Error::argument(format!("argument 1: a text must be UTF-8: {error}"))
                .hint("send_binary sends any bytes")
        });
        async move { this.put(Message::Text(message?)).await }
    }

    fn send_binary(this: Ref<Self>, bytes: &[u8]) -> impl Future<Output = Result<()>> + use<> {
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        async move { this.put(message).await }
    }

    async fn recv(this: Ref<Self>, timeout: Option<f64>) -> Result<Option<Buf>> {
        let next = this.next();
        let message = match timeout {
            None => next.await,
            Some(limit) => {
                let limit = match limit {
                    0.0 => Duration::ZERO,
                    limit => seconds("timeout", limit)?,
                };
                match reactor::timeout(limit, next).await? {
                    Some(message) => message,
                    None => {
                        return Err(Error::new(
                            "timeout",
                            format!("no message within {} s", limit.as_secs_f64()),
                        ));
                    }
                }
            }
        };
        match (message, this.end.get()) {
            (Some(message), _) => Ok(Some(Buf::new(message.into_data().into()))),
            (None, Some(End::Lost(why))) => Err(Error::new("closed", why.clone())),
            (None, _) => Ok(None),
        }
    }

    async fn close(this: Ref<Self>, code: Option<u16>, reason: Option<String>) -> Result<()> {
        let code = code.unwrap_or(1000);
        if !CloseCode::from(code).is_allowed() {
            return Err(
                Error::argument(format!("argument 1: {code} is no code to close with"))
                    .hint("1000 is normal; 3000 to 4999 are an application's own"),
            );
        }
        let reason = reason.unwrap_or_default();
        if reason.len() > 123 {
            return Err(Error::argument(format!(
                "argument 2: a reason has at most 123 bytes, this one {}",
                reason.len()
            )));
        }
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        // Who closes what is closed already has what he wants.
        if this
            .outgoing
            .send(Message::Close(Some(frame)))
            .await
            .is_ok()
        {
            this.outgoing.closed().await;
        }
        Ok(())
    }

    fn __index(this: Ref<Self>, name: &str) -> Option<String> {
        match name {
            "subprotocol" => this.subprotocol.clone(),
            _ => None,
        }
    }

    async fn put(&self, message: Message) -> Result<()> {
        self.outgoing.send(message).await.map_err(|_| {
            let why = match self.end.get() {
                Some(End::Lost(why)) => why,
                _ => "the connection was closed",
            };
            Error::new("closed", why)
        })
    }

    async fn next(&self) -> Option<Message> {
        self.incoming.lock().await.recv().await
    }
}

/// A request to upgrade, once it was agreed to.
pub struct Upgrade {
    func: Func,
    subprotocol: Option<String>,
    /// The request, for the log.
    what: String,
}

impl Upgrade {
    /// Agrees to a request: the response, with headers of the handler's, and what to do with the
    /// connection then. Or says what was wrong with it.
    pub fn new(
        request: &Parts,
        func: Func,
        subprotocols: &[String],
        mut headers: HeaderMap,
        what: String,
    ) -> Result<(Response<Body>, Self), Box<Response<Body>>> {
        let key = check(request)?;
        let offered = listed(&request.headers, &SEC_WEBSOCKET_PROTOCOL);
        let subprotocol = subprotocols
            .iter()
            .find(|known| offered.contains(known))
            .cloned();
        let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
        digest.update(key.as_bytes());
        digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(UPGRADE, "websocket");
        set(CONNECTION, "Upgrade");
        set(SEC_WEBSOCKET_ACCEPT, &STANDARD.encode(digest.finish()));
        if let Some(subprotocol) = &subprotocol {
            set(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        let mut response = Response::new(Body::whole(Bytes::new()));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        Ok((
            response,
            Self {
                func,
                subprotocol,
                what,
            },
        ))
    }

    /// Runs the function, and the connection until both have ended.
    pub(super) async fn run(
        self,
        server: &Server,
        connection: &Rc<Connection>,
        socket: Socket,
        read: Bytes,
    ) {
        let (outgoing, commands) = mpsc::channel(4);
        let (messages, incoming) = mpsc::channel(1);
        let end = Arc::new(OnceLock::new());
        let mut call = Some(self.func.call::<()>((Ref::new(WebSocket {
            outgoing,
            incoming: Mutex::new(incoming),
            subprotocol: self.subprotocol,
            end: Arc::clone(&end),
        }),)));
        let most = usize::try_from(server.limits.max_body).unwrap_or(usize::MAX);
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .write_buffer_size(16 << 10)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let mut talk = Talk {
            socket: tungstenite::WebSocket::from_partially_read(
                Blocking {
                    socket,
                    waker: Waker::noop().clone(),
                },
                read.into(),
                Role::Server,
                Some(config),
            ),
            connection: Rc::clone(connection),
            commands,
            messages: Some(messages),
            kept: None,
            last: None,
            state: State::Open,
            end,
        };
        connection.enter(Phase::WebSocket);
        std::future::poll_fn(|cx| {
            connection.listen(cx);
            match connection.order.get() {
                Order::Stop => return Poll::Ready(()),
                Order::Cut => talk.lose("the client did not answer in time"),
                Order::Drain => talk.close(CloseCode::Away),
                Order::Serve => {}
            }
            if let Some(running) = &mut call
                && let Poll::Ready(result) = Pin::new(running).poll(cx)
            {
                call = None;
                match result {
                    Ok(()) => talk.last = Some(CloseCode::Normal),
                    // It would have gone on if the client had not gone.
                    Err(error) if talk.ended() && error.kind() == "closed" => {}
                    Err(error) => {
                        reply::log(&server.cx, &self.what, &error);
                        talk.last = Some(CloseCode::Error);
                    }
                }
            }
            let ended = talk.poll(cx).is_ready();
            if ended && call.is_none() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

type Room = Pin<Box<dyn Future<Output = Result<OwnedPermit<Message>, SendError<()>>>>>;

/// The two ends of an open WebSocket.
struct Talk {
    socket: tungstenite::WebSocket<Blocking>,
    connection: Rc<Connection>,
    commands: Receiver<Message>,
    /// None once nothing will come any more.
    messages: Option<Sender<Message>>,
    /// Received, and waiting for room: the function has not taken what came before.
    kept: Option<(Message, Room)>,
    /// To close with, once the function has ended and what it sent is on its way.
    last: Option<CloseCode>,
    state: State,
    end: Arc<OnceLock<End>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// We sent a close frame and wait for the client's.
    Closing,
    /// Nothing more is said; what the client still sends is thrown away, since closing a socket
    /// with unread bytes would take back what was sent.
    Leaving,
    Ended,
}

/// How many frames a client may send before others have their turn.
const TURN: usize = 64;

impl Talk {
    fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Begins to close, unless that happened already.
    fn close(&mut self, code: CloseCode) {
        self.close_with(without_reason(code));
    }

    fn close_with(&mut self, frame: CloseFrame) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Closing;
        self.connection.enter(Phase::Closing);
        // Writing goes on in `poll`, where a failure shows as well.
        let _ = self.socket.close(Some(frame));
    }

    /// Moves what can be moved. Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.get_mut().waker.clone_from(cx.waker());
        if self.state == State::Open && self.connection.ping.take() {
            // A failure shows below.
            let _ = self.socket.write(Message::Ping(Bytes::new()));
        }
        if matches!(self.state, State::Open | State::Closing) {
            let moved = match self.write(cx) {
                Ok(()) => self.read(cx),
                failed => failed,
            };
            match moved {
                Ok(()) => return Poll::Pending,
                Err(failure) => self.finish(failure),
            }
        }
        if self.state == State::Leaving && self.leave(cx).is_ready() {
            self.state = State::Ended;
        }
        if self.ended() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ends here. The function learns of it where it waits.
    fn end(&mut self, end: End, state: State) {
        let _ = self.end.set(end);
        self.state = state;
        self.messages = None;
        self.kept = None;
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
    }

    fn lose(&mut self, why: &str) {
        self.end(End::Lost(why.into()), State::Ended);
    }

    /// Sends what the function wants sent, while the client takes it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        loop {
            match self.socket.flush() {
                Err(Failure::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                result => result?,
            }
            if self.state != State::Open {
                // What comes now comes too late; whoever sends it is told so at the end.
                return Ok(());
            }
            match self.commands.poll_recv(cx) {
                Poll::Ready(Some(Message::Close(frame))) => {
                    self.close_with(frame.unwrap_or_else(|| without_reason(CloseCode::Normal)));
                }
                Poll::Ready(Some(message)) => match self.socket.write(message) {
                    Err(Failure::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                    result => result?,
                },
                Poll::Ready(None) | Poll::Pending => match self.last.take() {
                    Some(code) => self.close(code),
                    None => return Ok(()),
                },
            }
        }
    }

    /// Hands over what came, while the function takes it.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        for _ in 0..TURN {
            if let Some((_, room)) = &mut self.kept {
                let Poll::Ready(room) = room.as_mut().poll(cx) else {
                    return Ok(());
                };
                if let (Some((message, _)), Ok(room)) = (self.kept.take(), room) {
                    room.send(message);
                }
                self.connection.enter(Phase::WebSocket);
            }
            match self.socket.read() {
                Ok(Message::Close(_)) if self.state == State::Open => {
                    self.state = State::Closing;
                    self.connection.enter(Phase::Closing);
                }
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => self.hand_over(message),
                // Pings are answered below this.
                Ok(_) => {}
                Err(Failure::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn hand_over(&mut self, message: Message) {
        let Some(messages) = self.messages.as_ref().filter(|_| self.state == State::Open) else {
            return;
        };
        if let Err(TrySendError::Full(message)) = messages.try_send(message) {
            self.kept = Some((message, Box::pin(messages.clone().reserve_owned())));
            // Now it is the function's turn, however long it takes.
            self.connection.enter(Phase::Handler);
        }
    }

    /// What is left to do after the protocol ended, in whichever way.
    fn finish(&mut self, failure: Failure) {
        let (code, why) = match failure {
            Failure::ConnectionClosed | Failure::AlreadyClosed => {
                return self.end(End::Closed, State::Leaving);
            }
            Failure::Io(_) | Failure::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                return self.lose("the connection was lost");
            }
            Failure::Capacity(CapacityError::MessageTooLong { size, max_size }) => (
                CloseCode::Size,
                format!("the client sent {size} bytes, `max_body` is {max_size}"),
            ),
            Failure::Utf8(_) => (
                CloseCode::Invalid,
                "the client sent a text that is not UTF-8".into(),
            ),
            other => (
                CloseCode::Protocol,
                format!("the client broke the protocol: {other}"),
            ),
        };
        self.connection.enter(Phase::Closing);
        let _ = self.socket.close(Some(without_reason(code)));
        self.end(End::Lost(why), State::Leaving);
    }

    /// Sends what is left and the end, then waits for the client's end.
    fn leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.socket.flush() {
            Err(Failure::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                return Poll::Pending;
            }
            _ => {}
        }
        let socket = &mut self.socket.get_mut().socket;
        if ready!(socket.poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        let mut nowhere = [0; 4096];
        for _ in 0..TURN {
            match ready!(socket.poll_read(cx, &mut nowhere)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn without_reason(code: CloseCode) -> CloseFrame {
    CloseFrame {
        code,
        reason: Utf8Bytes::default(),
    }
}

/// A socket as tungstenite wants it: what would wait fails, and wakes the connection later.
struct Blocking {
    socket: Socket,
    waker: Waker,
}

impl Blocking {
    fn now<T>(
        &mut self,
        operation: impl FnOnce(&mut Socket, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match operation(&mut self.socket, &mut Context::from_waker(&self.waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Blocking {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.now(|socket, cx| socket.poll_read(cx, buf))
    }
}

impl Write for Blocking {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.now(|socket, cx| socket.poll_write(cx, &[IoSlice::new(buf)]))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.now(Socket::poll_flush)
    }
}

/// The key of a request to upgrade that is one, or what to answer instead.
fn check(request: &Parts) -> Result<&HeaderValue, Box<Response<Body>>> {
    let has = |name: HeaderName, wanted: &str| {
        listed(&request.headers, &name)
            .iter()
            .any(|token| token.eq_ignore_ascii_case(wanted))
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err(upgrade_required("this is for WebSockets\n"));
    }
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err(upgrade_required("WebSockets here are version 13\n"));
    }
    let wrong = |what| Box::new(reply::plain(StatusCode::BAD_REQUEST, what));
    if request.method != Method::GET || request.version != Version::HTTP_11 {
        return Err(wrong("a WebSocket begins with GET and HTTP/1.1\n"));
    }
    let mut keys = request.headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if STANDARD.decode(key).is_ok_and(|key| key.len() == 16) => Ok(key),
        _ => Err(wrong("`Sec-WebSocket-Key` must be 16 bytes in Base64\n")),
    }
}

fn upgrade_required(text: &'static str) -> Box<Response<Body>> {
    let mut response = Box::new(reply::plain(StatusCode::UPGRADE_REQUIRED, text));
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// What is between the commas of a header, however often it comes.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|token| token.trim().to_owned())
        .collect()
}
