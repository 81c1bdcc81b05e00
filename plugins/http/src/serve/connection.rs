//! One client: its requests, and whose turn it is.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use assay_plugin::abi::level;
use assay_plugin::reactor::{self, Io};
use assay_plugin::{Error, FuncCall, Result};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, EXPECT, HOST, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};

use super::access::Access;
use super::reply::{self, Body, Reply};
use super::router::Found;
use super::socket::{Plain, Socket};
use super::websocket::Upgrade;
use super::{Limits, Server, request};

/// What the server knows of a connection.
pub struct Connection {
    pub peer: String,
    phase: Cell<Phase>,
    /// When the phase began, or the client last did its part in it.
    since: Cell<Instant>,
    /// Bytes wait for the client to take them.
    blocked: Cell<bool>,
    /// A ping was sent, and nothing came since.
    pinged: Cell<bool>,
    pub order: Cell<Order>,
    /// A WebSocket's client was silent for long: whether it is still there is to be asked.
    pub ping: Cell<bool>,
    /// What was agreed on, when the connection is to become a WebSocket.
    upgrade: RefCell<Option<Upgrade>>,
    waker: RefCell<Option<Waker>>,
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The client's, to send a request or to take a response.
    Idle,
    /// The client's, to end its headers, or before them the handshake of TLS.
    Head,
    /// The client's, to end its body.
    Body,
    /// The handler's.
    Handler,
    /// Either's, as with a WebSocket: the client's to answer a ping.
    WebSocket,
    /// The client's, to close as well.
    Closing,
}

/// What the server wants of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To go on.
    Serve,
    /// To end after the request in work.
    Drain,
    /// To end now, since the client took too long.
    Cut,
    /// To end now.
    Stop,
}

impl Connection {
    pub fn new(peer: SocketAddr) -> Self {
        Self {
            peer: peer.to_string(),
            phase: Cell::new(Phase::Idle),
            since: Cell::new(Instant::now()),
            blocked: Cell::new(false),
            pinged: Cell::new(false),
            order: Cell::new(Order::Serve),
            ping: Cell::new(false),
            upgrade: RefCell::default(),
            waker: RefCell::default(),
        }
    }

    pub fn order(&self, order: Order) {
        if self.order.get() == Order::Stop {
            return;
        }
        self.order.set(order);
        self.wake();
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// Bytes came.
    pub fn received(&self) {
        self.pinged.set(false);
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Body | Phase::WebSocket => self.since.set(Instant::now()),
            Phase::Head | Phase::Handler | Phase::Closing => {}
        }
    }

    /// Bytes went, or could not.
    pub fn sent(&self, blocked: bool) {
        if !blocked || !self.blocked.get() {
            self.blocked.set(blocked);
            // The time of a head counts from its first byte, whatever is still being sent.
            if !matches!(self.phase.get(), Phase::Head | Phase::Closing) {
                self.since.set(Instant::now());
            }
        }
    }

    /// Whether it could end without anybody missing it, and since when.
    pub fn spare(&self) -> Option<Instant> {
        (self.phase.get() == Phase::Idle && !self.blocked.get()).then(|| self.since.get())
    }

    /// Ends the connection if the client has had its turn for too long.
    pub(super) fn check(&self, now: Instant, limits: &Limits) {
        let waited = now.saturating_duration_since(self.since.get());
        let overdue = match self.phase.get() {
            Phase::Head | Phase::Closing => waited > limits.header,
            Phase::Idle | Phase::Body => waited > limits.idle,
            Phase::Handler => self.blocked.get() && waited > limits.idle,
            Phase::WebSocket => {
                if waited > limits.idle / 2 && waited <= limits.idle && !self.pinged.replace(true) {
                    self.ping.set(true);
                    self.wake();
                }
                waited > limits.idle
            }
        };
        if overdue {
            self.order(Order::Cut);
        }
    }

    /// Whoever polls this will be woken by orders.
    pub fn listen(&self, cx: &mut Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Serves a connection to its end.
pub async fn run(
    registered: Registered,
    connection: Rc<Connection>,
    stream: TcpStream,
) -> Result<()> {
    let server = &registered.server;
    // Clients that vanish or speak no HTTP are everyday life, not this program's failure.
    if let Err(failed) = serve(server, &connection, stream).await {
        server.cx.log_fields(
            level::DEBUG,
            &format!("http.serve: a connection failed: {failed}"),
            &[("peer", &connection.peer)],
        );
    }
    Ok(())
}

async fn serve(
    server: &Rc<Server>,
    connection: &Rc<Connection>,
    stream: TcpStream,
) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let plain = Plain {
        io: Io::new(stream)?,
        connection: Rc::clone(connection),
    };
    let socket = match &server.tls {
        None => Socket::Plain(Rc::new(plain)),
        Some(acceptor) => {
            connection.enter(Phase::Head);
            let mut accept = pin!(acceptor.accept(plain));
            let tls = poll_fn(|cx| match connection.order.get() {
                Order::Serve => {
                    connection.listen(cx);
                    accept.as_mut().poll(cx).map(Some)
                }
                _ => Poll::Ready(None),
            });
            let Some(tls) = tls.await.transpose()? else {
                return Ok(());
            };
            connection.enter(Phase::Idle);
            Socket::Tls(Box::new(tls))
        }
    };
    // While a handler runs, hyper would find out that the client has gone by reading ahead, into a
    // buffer that it makes for each request.
    let plain = match &socket {
        Socket::Plain(plain) => Some(Rc::clone(plain)),
        Socket::Tls(_) => None,
    };
    let service = service_fn(|request| answer(server, connection, request));
    let mut http = http1::Builder::new()
        .max_header_size(MAX_HEADER)
        .half_close(plain.is_some())
        .serve_connection(socket, service);
    let mut draining = false;
    let ended = poll_fn(|cx| {
        match connection.order.get() {
            Order::Stop | Order::Cut => return Poll::Ready(Ok(false)),
            Order::Drain if !draining => {
                draining = true;
                Pin::new(&mut http).graceful_shutdown();
            }
            _ => {}
        }
        connection.listen(cx);
        let polled = Pin::new(&mut http).poll(cx);
        if polled.is_pending()
            && connection.phase.get() == Phase::Handler
            && plain.as_ref().is_some_and(|plain| plain.is_closed(cx))
        {
            return Poll::Ready(Ok(false));
        }
        polled.map_ok(|()| true)
    })
    .await?;
    let upgrade = connection.upgrade.take().filter(|_| ended);
    if let Some(upgrade) = upgrade {
        let parts = http.into_parts();
        upgrade
            .run(server, connection, parts.io, parts.read_buf)
            .await;
    }
    Ok(())
}

/// How many bytes the first line and the headers of a request may have; more is answered with 431.
const MAX_HEADER: usize = 64 << 10;

/// Takes the connection off the server's list, however its task ends.
pub struct Registered {
    pub server: Rc<Server>,
    pub id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.server.connections.borrow_mut().remove(&self.id);
        self.server.left();
    }
}

async fn answer(
    server: &Rc<Server>,
    connection: &Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let head = Rc::new(head);
    connection.enter(Phase::Body);
    let access = server
        .access_log
        .then(|| Box::new(Access::new(server, connection, &head)));
    let mut response = match respond(server, connection, &head, body).await {
        Ok(response) => response,
        Err(refused) => {
            connection.enter(Phase::Idle);
            refused
        }
    };
    if let Some(mut access) = access {
        access.status = response.status();
        response.body_mut().access = Some(access);
    }
    Ok(response)
}

/// The handler's response, or as the error one of the server's own.
async fn respond(
    server: &Rc<Server>,
    connection: &Rc<Connection>,
    head: &Rc<Parts>,
    body: Incoming,
) -> Result<Response<Body>, Response<Body>> {
    check(head).map_err(|refused| *refused)?;
    let (handler, path_params) = match server.router.find(head.method.as_str(), head.uri.path()) {
        Found::Handler(handler, path_params) => (handler, path_params),
        Found::WrongMethod(allowed) => {
            let mut response = reply::plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            if let Ok(allowed) = HeaderValue::try_from(allowed) {
                response.headers_mut().insert(ALLOW, allowed);
            }
            return Err(response);
        }
        Found::Nothing => return Err(reply::plain(StatusCode::NOT_FOUND, "not found\n")),
    };
    let body = collect(body, &head.headers, server.limits.max_body).await?;
    connection.enter(Phase::Handler);
    let failed = |error| failed(server, head, &error);
    let call = request::call(handler, head, body, &path_params, &connection.peer);
    let reply = in_time(server, call).await.map_err(failed)?;
    let became = reply.into_response(server, connection, head);
    let (response, upgrade) = became.map_err(failed)?;
    if upgrade.is_some() {
        connection.upgrade.replace(upgrade);
    }
    Ok(response)
}

/// Refuses what proxies on the way may understand otherwise than we do, and what is not for servers.
fn check(head: &Parts) -> Result<(), Box<Response<Body>>> {
    let wrong = |status, text| Err(Box::new(reply::plain(status, text)));
    if head.method == Method::CONNECT {
        return wrong(StatusCode::NOT_IMPLEMENTED, "this is no proxy\n");
    }
    let hosts = head.headers.get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && head.version == Version::HTTP_11 {
        return wrong(StatusCode::BAD_REQUEST, "there must be one `Host`\n");
    }
    Ok(())
}

async fn in_time(server: &Server, call: FuncCall<Reply>) -> Result<Reply> {
    let Some(limit) = server.limits.handler else {
        return call.await;
    };
    reactor::timeout(limit, call).await?.unwrap_or_else(|| {
        Err(Error::new(
            TIMEOUT,
            format!("took longer than {} s", limit.as_secs_f64()),
        )
        .hint("the option `timeout`"))
    })
}

/// What a handler raised goes to the log; the client learns nothing of it.
fn failed(server: &Server, head: &Parts, error: &Error) -> Response<Body> {
    reply::log(&server.cx, &what(head), error);
    match error.kind() {
        TIMEOUT => reply::plain(StatusCode::SERVICE_UNAVAILABLE, "service unavailable\n"),
        _ => reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "internal server error\n"),
    }
}

/// A request, as the log calls it.
pub fn what(head: &Parts) -> String {
    format!("{} {}", head.method, head.uri.path())
}

/// The kind of the error of a handler that we cancelled: no script's own.
const TIMEOUT: &str = "http.serve.timeout";

/// Reads a body, or says why not.
async fn collect(
    mut body: Incoming,
    headers: &HeaderMap,
    most: u64,
) -> Result<Vec<u8>, Response<Body>> {
    let too_large = || reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n");
    let announced = body.size_hint().exact().unwrap_or(0);
    let mut bytes = Vec::with_capacity(announced.min(most).min(1 << 20) as usize);
    let mut received = 0;
    // A client that waits for leave to send hears it now.
    if announced > most && headers.contains_key(EXPECT) {
        return Err(too_large());
    }
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else {
            return Err(reply::plain(
                StatusCode::BAD_REQUEST,
                "the body did not end\n",
            ));
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        received += data.len() as u64;
        if received <= most {
            bytes.extend_from_slice(&data);
        } else if received > 2 * most.max(1 << 20) {
            break;
        }
        // A little over is read to its end, so that ordinary clients see the answer, and not a
        // connection that was closed while they were sending.
    }
    if received > most {
        Err(too_large())
    } else {
        Ok(bytes)
    }
}
