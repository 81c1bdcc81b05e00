//! `http.serve`: the listener, its connections, and how both end.
//!
//! Everything runs on the VM's thread: hyper's HTTP/1 connections over the host's reactor, each a
//! task beside the script's coroutines, so that a handler is called without crossing a thread.
//!
//! # Layout
//! - `router`: from method and path to a handler. `request`: `http.Request`. `reply`: the table that
//!   a handler returns. `stream`: replies that are written as they come.
//! - `connection`: one client. `socket`: its bytes.

mod connection;
mod reply;
pub(crate) mod request;
mod router;
mod socket;
pub(crate) mod stream;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use assay_plugin::abi::level;
use assay_plugin::reactor::{Direction, Io, Timer};
use assay_plugin::{Cx, De, Error, Func, Result, View};
use serde::Deserialize;

use crate::failure::reason;
use crate::request::seconds;
use connection::{Connection, Order, Registered};
use router::Router;

/// The options, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    host: String,
    max_body: u64,
    timeout: Option<f64>,
    header_timeout: f64,
    idle_timeout: f64,
    shutdown_timeout: f64,
    on_listen: Option<Func>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "0.0.0.0".into(),
            max_body: 10 << 20,
            timeout: None,
            header_timeout: 10.0,
            idle_timeout: 60.0,
            shutdown_timeout: 10.0,
            on_listen: None,
        }
    }
}

/// What clients may take.
struct Limits {
    /// Bytes of a request's body.
    max_body: u64,
    /// For a handler to return.
    handler: Option<Duration>,
    /// From the first byte of a request to the end of its headers.
    header: Duration,
    /// Without a byte, where it is the client's turn.
    idle: Duration,
}

/// A server while it runs.
struct Server {
    cx: Cx,
    router: Router,
    limits: Limits,
    shutdown_timeout: Duration,
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
    let start = Server::new(cx, routes, &options);
    async move { start?.run(port, options).await }
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
    fn new(cx: Cx, routes: View<'_>, options: &Options) -> Result<Rc<Self>> {
        let limits = Limits {
            max_body: options.max_body,
            handler: options
                .timeout
                .map(|value| seconds("timeout", value))
                .transpose()?,
            header: seconds("header_timeout", options.header_timeout)?,
            idle: seconds("idle_timeout", options.idle_timeout)?,
        };
        let shutdown_timeout = seconds("shutdown_timeout", options.shutdown_timeout)?;
        Ok(Rc::new(Self {
            cx,
            router: Router::new(routes)?,
            limits,
            shutdown_timeout,
            connections: RefCell::default(),
            counted: Cell::new(0),
            drain: Cell::new(None),
            waker: RefCell::default(),
        }))
    }

    async fn run(self: Rc<Self>, port: u16, options: Options) -> Result<()> {
        let listener = listen(&self.cx, &options.host, port)?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::new("listen", reason(&error)))?;
        let listener = Io::new(listener)?;
        SERVERS.with_borrow_mut(|servers| {
            servers.retain(|server| server.strong_count() > 0);
            servers.push(Rc::downgrade(&self));
        });
        // Whichever way this future ends, nothing of the server outlives it.
        let _stop = Stop(&self);

        let mut sweep = pin!(self.sweep());
        {
            let mut accept = pin!(self.accept(listener));
            let mut announce = pin!(announce(options.on_listen, address));
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

    async fn accept(self: &Rc<Self>, listener: Io<TcpListener>) -> Result<()> {
        loop {
            match listener.with(Direction::Read, TcpListener::accept).await {
                Ok((stream, peer)) => self.connect(stream, peer),
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

    fn connect(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
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
                if connection.overdue(now, &self.limits) {
                    connection.order(Order::Stop);
                }
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
    let listen = || {
        let listener = TcpListener::bind((host, port))?;
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
async fn announce(on_listen: Option<Func>, mut address: SocketAddr) -> Result<()> {
    let Some(on_listen) = on_listen else {
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
