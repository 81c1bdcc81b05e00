//! One client: its requests, and whose turn it is.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use assay_plugin::abi::level;
use assay_plugin::reactor::{self, Io};
use assay_plugin::{Error, Func, Record, Result};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, EXPECT, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};

use super::reply::{self, Body, Reply};
use super::router::Found;
use super::socket::Socket;
use super::{Limits, Server, request};

/// What the server knows of a connection.
pub struct Connection {
    peer: String,
    phase: Cell<Phase>,
    /// When the phase began, or the client last did its part in it.
    since: Cell<Instant>,
    /// Bytes wait for the client to take them.
    blocked: Cell<bool>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The client's, to send a request or to take a response.
    Idle,
    /// The client's, to end its headers.
    Head,
    /// The client's, to end its body.
    Body,
    /// The handler's.
    Handler,
}

/// What the server wants of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To go on.
    Serve,
    /// To end after the request in work.
    Drain,
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
            order: Cell::new(Order::Serve),
            waker: RefCell::default(),
        }
    }

    pub fn order(&self, order: Order) {
        if self.order.get() == Order::Stop {
            return;
        }
        self.order.set(order);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// Bytes came.
    pub fn received(&self) {
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Head),
            Phase::Body => self.since.set(Instant::now()),
            Phase::Head | Phase::Handler => {}
        }
    }

    /// Bytes went, or could not.
    pub fn sent(&self, blocked: bool) {
        if !blocked || !self.blocked.get() {
            self.blocked.set(blocked);
            // The time of a head counts from its first byte, whatever is still being sent.
            if self.phase.get() != Phase::Head {
                self.since.set(Instant::now());
            }
        }
    }

    /// Whether the client has had its turn for too long.
    pub fn overdue(&self, now: Instant, limits: &Limits) -> bool {
        let waited = now.saturating_duration_since(self.since.get());
        match self.phase.get() {
            Phase::Head => waited > limits.header,
            Phase::Idle | Phase::Body => waited > limits.idle,
            Phase::Handler => self.blocked.get() && waited > limits.idle,
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
    let Ok(socket) = prepare(stream) else {
        return Ok(());
    };
    let socket = Socket {
        io: socket,
        connection: Rc::clone(&connection),
    };
    let service = service_fn(|request| answer(server, &connection, request));
    let mut http = pin!(http1::Builder::new().serve_connection(socket, service));
    let mut draining = false;
    let ended = poll_fn(|cx| {
        match connection.order.get() {
            Order::Stop => return Poll::Ready(Ok(())),
            Order::Drain if !draining => {
                draining = true;
                http.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        let mut waker = connection.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        http.as_mut().poll(cx)
    })
    .await;
    // Clients that vanish or speak no HTTP are everyday life, not this program's failure.
    if let Err(error) = ended {
        let peer = &*connection.peer;
        server.cx.log_fields(
            level::DEBUG,
            &format!("http.serve: a connection failed: {error}"),
            &[("peer", &peer)],
        );
    }
    Ok(())
}

fn prepare(stream: TcpStream) -> Result<Io<TcpStream>> {
    let failed = |error: std::io::Error| Error::new("io", error.to_string());
    stream.set_nonblocking(true).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Io::new(stream)
}

/// Takes the connection off the server's list, however its task ends.
pub struct Registered {
    pub server: Rc<Server>,
    pub id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.server.connections.borrow_mut().remove(&self.id);
        if self.server.drain.get().is_some() {
            self.server.wake();
        }
    }
}

async fn answer(
    server: &Rc<Server>,
    connection: &Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    connection.enter(Phase::Body);
    let response = match server.router.find(head.method.as_str(), head.uri.path()) {
        Found::Handler(handler, path_params) => {
            match collect(body, &head.headers, server.limits.max_body).await {
                Ok(body) => {
                    connection.enter(Phase::Handler);
                    let what = format!("{} {}", head.method, head.uri.path());
                    let request = request::record(head, body, path_params, &connection.peer);
                    match call(server, handler, request).await {
                        Ok(reply) => return Ok(reply.into_response(server, connection, what)),
                        Err(error) => failed(server, &what, &error),
                    }
                }
                Err(refused) => refused,
            }
        }
        Found::WrongMethod(allowed) => {
            let mut response = reply::plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            if let Ok(allowed) = HeaderValue::try_from(allowed) {
                response.headers_mut().insert(ALLOW, allowed);
            }
            response
        }
        Found::Nothing => reply::plain(StatusCode::NOT_FOUND, "not found\n"),
    };
    connection.enter(Phase::Idle);
    Ok(response)
}

async fn call(server: &Server, handler: &Func, request: Record<request::Request>) -> Result<Reply> {
    let call = handler.call::<Reply>((request,));
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
fn failed(server: &Server, what: &str, error: &Error) -> Response<Body> {
    reply::log(&server.cx, what, error);
    match error.kind() {
        TIMEOUT => reply::plain(StatusCode::SERVICE_UNAVAILABLE, "service unavailable\n"),
        _ => reply::plain(StatusCode::INTERNAL_SERVER_ERROR, "internal server error\n"),
    }
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
