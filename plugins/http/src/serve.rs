//! `http.serve`: the listener, its connections, and how both end.
//!
//! Everything runs on the VM's thread: hyper's HTTP/1 connections over the host's reactor, each a
//! task beside the script's coroutines, so that a handler is called without crossing a thread.
//!
//! # Layout
//! - `router`: from method and path to a handler. `request`: `http.Request`. `reply`: the table that
//!   a handler returns. `file`, `stream`: replies that are read from a file, or written as they come.
//! - `connection`: one client. `socket`, `tls`: its bytes. `websocket`: what it may become.
//! - `workers`: several VMs on one port. `access`: the access log.

mod access;
mod connection;
mod file;
mod reply;
pub(crate) mod request;
pub(crate) mod router;
mod socket;
pub(crate) mod stream;
mod tls;
pub(crate) mod websocket;
mod workers;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use assay_plugin::abi::level;
use assay_plugin::reactor::{Direction, Io, Timer};
use assay_plugin::{Cx, De, Error, Func, Result, View};
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use crate::failure::reason;
use crate::request::seconds;
use connection::{Connection, Order, Registered};
use router::Router;
use workers::{Client, Seat};

/// The options, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    host: String,
    max_body: u64,
    max_connections: usize,
    timeout: Option<f64>,
    header_timeout: f64,
    idle_timeout: f64,
    shutdown_timeout: f64,
    tls: Option<tls::Options>,
    workers: u32,
    access_log: bool,
    on_listen: Option<Func>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".into(),
            max_body: 10 << 20,
            max_connections: 10_000,
            timeout: None,
            header_timeout: 10.0,
            idle_timeout: 60.0,
            shutdown_timeout: 10.0,
            tls: None,
            workers: 1,
            access_log: false,
            on_listen: None,
        }
    }
}

/// More are a mistake: each has a VM and a thread.
const MAX_WORKERS: u32 = 256;

/// What clients may take.
struct Limits {
    /// Bytes of a request's body, or of a WebSocket's message.
    max_body: u64,
    /// Connections at a time.
    connections: usize,
    /// For a handler to return.
    handler: Option<Duration>,
    /// From the first byte of a request to the end of its headers; for the handshake of TLS, and
    /// for the one that ends a WebSocket.
    header: Duration,
    /// Without a byte, where it is the client's turn.
    idle: Duration,
}

/// A server while it runs.
struct Server {
    cx: Cx,
    router: Router,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    access_log: bool,
    shutdown_timeout: Duration,
    /// Among the VMs that serve the same port, if they are several.
    seat: Option<Seat>,
    connections: RefCell<HashMap<u64, Rc<Connection>>>,
    /// How many connections there were.
    counted: Cell<u64>,
    /// When draining must be over, once it began.
    drain: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

thread_local! {
    /// The servers of this thread: a VM's tasks never leave it.
    static SERVERS: RefCell<Vec<Weak<Server>>> = const { RefCell::new(Vec::new()) };
}

/// `http.serve(port, routes, opts?)`
pub fn serve(
    cx: Cx,
    port: u16,
    routes: View<'_>,
    opts: Option<De<Options>>,
) -> impl Future<Output = Result<()>> + use<> {
    let options = opts.map_or_else(Options::default, |opts| opts.0);
    let start = start(cx, port, routes, &options);
    async move {
        let (server, door) = start?;
        server.run(door, options.on_listen).await
    }
}

/// Where clients come in.
struct Door {
    /// None where another VM serves alone.
    listener: Option<Io<TcpListener>>,
    /// Clients that other VMs accepted.
    inbox: Option<UnboundedReceiver<Client>>,
    /// Whom to tell, and what.
    address: Option<SocketAddr>,
}

fn start(cx: Cx, port: u16, routes: View<'_>, options: &Options) -> Result<(Rc<Server>, Door)> {
    let mut server = Server::new(cx, routes, options)?;
    let (cx, host) = (&server.cx, &*options.host);
    let worker = cx.worker();
    let (listener, inbox) = match options.workers {
        // With the first one's port, and the same script: all that is left is to end with it.
        1 if worker.index > 0 => (None, None),
        1 => (Some(listen(cx, host, port)?), None),
        count => {
            let (seat, inbox) = Seat::take(worker, host, port, || listen(cx, host, port))?;
            let listener = seat.listener().map_err(|error| cannot_listen(&error))?;
            cx.start_workers(count)?;
            server.seat = Some(seat);
            (listener, Some(inbox))
        }
    };
    let address = match &listener {
        Some(listener) if worker.index == 0 => Some(
            listener
                .local_addr()
                .map_err(|error| cannot_listen(&error))?,
        ),
        _ => None,
    };
    let door = Door {
        listener: listener.map(Io::new).transpose()?,
        inbox,
        address,
    };
    Ok((Rc::new(server), door))
}

fn cannot_listen(error: &io::Error) -> Error {
    Error::new("listen", reason(error))
}

/// Drains the servers of this thread. Whether there are any.
pub fn shutdown(within: Duration) -> bool {
    let servers: Vec<_> =
        SERVERS.with_borrow(|servers| servers.iter().filter_map(Weak::upgrade).collect());
    for server in &servers {
        server.drain(within.min(server.shutdown_timeout));
    }
    !servers.is_empty()
}

impl Server {
    fn new(cx: Cx, routes: View<'_>, options: &Options) -> Result<Self> {
        let none = |option, most| {
            Error::argument(format!(
                "option `{option}`: expected an integer from 1{most}"
            ))
        };
        if options.max_connections == 0 {
            return Err(none("max_connections", ", got 0"));
        }
        if !(1..=MAX_WORKERS).contains(&options.workers) {
            return Err(none(
                "workers",
                &format!(" to {MAX_WORKERS}, got {}", options.workers),
            ));
        }
        let limits = Limits {
            max_body: options.max_body,
            connections: options.max_connections,
            handler: options
                .timeout
                .map(|value| seconds("timeout", value))
                .transpose()?,
            header: seconds("header_timeout", options.header_timeout)?,
            idle: seconds("idle_timeout", options.idle_timeout)?,
        };
        let shutdown_timeout = seconds("shutdown_timeout", options.shutdown_timeout)?;
        let tls = options
            .tls
            .as_ref()
            .map(|options| tls::acceptor(&cx, options))
            .transpose()?;
        Ok(Self {
            cx,
            router: Router::new(routes)?,
            limits,
            tls,
            access_log: options.access_log,
            shutdown_timeout,
            seat: None,
            connections: RefCell::default(),
            counted: Cell::new(0),
            drain: Cell::new(None),
            waker: RefCell::default(),
        })
    }

    async fn run(self: Rc<Self>, door: Door, on_listen: Option<Func>) -> Result<()> {
        SERVERS.with_borrow_mut(|servers| {
            servers.retain(|server| server.strong_count() > 0);
            servers.push(Rc::downgrade(&self));
        });
        // Whichever way this future ends, nothing of the server outlives it.
        let _stop = Stop(&self);

        let mut sweep = pin!(self.sweep());
        {
            let on_listen = on_listen.zip(door.address);
            let mut accept = pin!(self.accept(door));
            let mut announce = pin!(announce(on_listen));
            let mut announced = false;
            poll_fn(|cx| {
                if self.drain.get().is_some() {
                    return Poll::Ready(Ok(()));
                }
                self.waker.replace(Some(cx.waker().clone()));
                if !announced && let Poll::Ready(result) = announce.as_mut().poll(cx) {
                    announced = true;
                    if let Err(error) = result {
                        return Poll::Ready(Err(error));
                    }
                }
                if let Poll::Ready(result) = sweep.as_mut().poll(cx) {
                    return Poll::Ready(result);
                }
                accept.as_mut().poll(cx)
            })
            .await?;
        }
        if let Some(seat) = &self.seat {
            seat.close();
        }
        // The listener is closed now: who comes later is refused, and goes elsewhere.
        let left = self.drain.get().map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        });
        let mut end = pin!(Timer::new(left)?);
        poll_fn(|cx| {
            self.waker.replace(Some(cx.waker().clone()));
            if self.connections.borrow().is_empty() || end.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            sweep.as_mut().poll(cx)
        })
        .await?;
        let cut = self.connections.borrow().len();
        if cut > 0 {
            self.cx.log_fields(
                level::WARN,
                "http.serve: closing connections that did not end in time",
                &[("connections", &cut)],
            );
        }
        Ok(())
    }

    async fn accept(self: &Rc<Self>, mut door: Door) -> Result<()> {
        loop {
            match door.next().await {
                Ok(Arrived::Here(client)) => {
                    let client = match &self.seat {
                        Some(seat) => seat.assign(client),
                        None => Some(client),
                    };
                    if let Some(client) = client {
                        self.room().await;
                        self.connect(client);
                    }
                }
                Ok(Arrived::Assigned(client)) => {
                    self.room().await;
                    self.connect(client);
                }
                // The client was gone before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) => {}
                // Out of descriptors or memory: those in use will be free again.
                Err(error) => {
                    self.cx.warn(&format!(
                        "http.serve: cannot accept a connection: {}",
                        reason(&error)
                    ));
                    self.cx.sleep(Duration::from_millis(100)).await?;
                }
            }
        }
    }

    /// Waits until there may be one connection more. Those that nobody would miss end for it.
    async fn room(&self) {
        poll_fn(|_| {
            let connections = self.connections.borrow();
            if connections.len() < self.limits.connections {
                return Poll::Ready(());
            }
            let spare = connections
                .values()
                .filter_map(|connection| Some((connection.spare()?, connection)))
                .min_by_key(|(since, _)| *since);
            if let Some((_, connection)) = spare {
                connection.order(Order::Drain);
            }
            // A connection that ends wakes this.
            Poll::Pending
        })
        .await
    }

    /// A connection has ended.
    fn left(&self) {
        if let Some(seat) = &self.seat {
            seat.left();
        }
        if self.drain.get().is_some()
            || self.connections.borrow().len() + 1 >= self.limits.connections
        {
            self.wake();
        }
    }

    fn connect(self: &Rc<Self>, (stream, peer): Client) {
        let id = self.counted.get();
        self.counted.set(id + 1);
        let connection = Rc::new(Connection::new(peer));
        self.connections
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        let registered = Registered {
            server: Rc::clone(self),
            id,
        };
        let task = connection::run(registered, connection, stream);
        if let Err(error) = self.cx.spawn(task) {
            self.cx.warn(&format!("http.serve: {error}"));
        }
    }

    /// Closes connections whose clients take too long. Looking at all of them now and then costs
    /// less than a timer for each that is set anew with every request.
    async fn sweep(&self) -> Result<()> {
        let period = (self.limits.header.min(self.limits.idle) / 4)
            .clamp(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            self.cx.sleep(period).await?;
            let now = Instant::now();
            for connection in self.connections.borrow().values() {
                connection.check(now, &self.limits);
            }
        }
    }

    fn drain(&self, within: Duration) {
        let end = Instant::now() + within;
        if self.drain.get().is_none_or(|before| end < before) {
            self.drain.set(Some(end));
        }
        for connection in self.connections.borrow().values() {
            connection.order(Order::Drain);
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

enum Arrived {
    Here(Client),
    /// Accepted by another VM.
    Assigned(Client),
}

impl Door {
    async fn next(&mut self) -> io::Result<Arrived> {
        poll_fn(|cx| {
            if let Some(inbox) = &mut self.inbox
                && let Poll::Ready(Some(client)) = inbox.poll_recv(cx)
            {
                return Poll::Ready(Ok(Arrived::Assigned(client)));
            }
            match &self.listener {
                Some(listener) => listener
                    .poll_with(cx, Direction::Read, TcpListener::accept)
                    .map_ok(Arrived::Here),
                None => Poll::Pending,
            }
        })
        .await
    }
}

/// Ends all connections when dropped: their tasks see it when they are polled next.
struct Stop<'a>(&'a Server);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        for connection in self.0.connections.borrow().values() {
            connection.order(Order::Stop);
        }
    }
}

fn listen(cx: &Cx, host: &str, port: u16) -> Result<TcpListener> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let shown = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    cx.require("net.listen", &shown)?;
    let found = (host, port).to_socket_addrs().map(Vec::from_iter);
    for address in found.iter().flatten() {
        cx.require_address(host, *address)?;
    }
    let listen = || {
        let listener = TcpListener::bind(&found?[..])?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|error: io::Error| {
        let failed = Error::new(
            "listen",
            format!("cannot listen on {shown}: {}", reason(&error)),
        );
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failed.hint("another process has the port; port 0 takes any free one")
            }
            io::ErrorKind::PermissionDenied => {
                failed.hint("ports below 1024 need a privilege; use 8080 or the like")
            }
            _ => failed,
        }
    })
}

/// Tells the script where the server listens, as an address that can be connected to.
async fn announce(on_listen: Option<(Func, SocketAddr)>) -> Result<()> {
    let Some((on_listen, mut address)) = on_listen else {
        return Ok(());
    };
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    on_listen.call((address.to_string(),)).await
}
