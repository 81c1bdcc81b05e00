//! The `ws` family: a WebSocket client.
//!
//! Not here: the server's side (`http.serve` has it), compression, redirects.
//!
//! # Layout
//! - `options`: what `ws.connect` takes, checked.
//! - `connect`: the way to an open connection: name, TCP, proxy, TLS, handshake. `failure`: which of
//!   these failed.
//! - `connection`: the object that scripts hold. `pump`: the task that owns the socket meanwhile, on
//!   the plugin's tokio thread.
//!
//! # Example
//! ```no_run
//! use assay_plugin::{AnyObject, test::Host};
//!
//! let host = Host::new(&assay_ws::ASSAY_PLUGIN);
//! let connection: AnyObject = host.call("connect", ("ws://127.0.0.1:8080/",)).unwrap();
//! host.method::<()>(&connection, "send", ("hello",)).unwrap();
//! ```

mod connect;
mod connection;
mod failure;
mod options;
mod pump;

use assay_plugin::plugin;
use connect::connect;
use connection::{Connection, close, recv, send, send_binary};

plugin! {
    /// A WebSocket client.
    name: "ws",
    permissions: ["net.connect", "fs.read"],
    types: include_str!("../types/ws.lua"),
    functions: {
        /// Connects to a WebSocket server: `ws://` or `wss://`. Waits until the connection is open.
        async fn connect = "fun(url: string, opts?: ws.Options): ws.Connection",
        /// As `conn:send`.
        async fn send = "fun(conn: ws.Connection, text: string)",
        /// As `conn:send_binary`.
        async fn send_binary = "fun(conn: ws.Connection, bytes: string)",
        /// As `conn:recv`.
        async fn recv = "fun(conn: ws.Connection, timeout?: number): string?",
        /// As `conn:close`.
        async fn close = "fun(conn: ws.Connection, code?: integer, reason?: string)",
    },
    classes: [Connection],
}
