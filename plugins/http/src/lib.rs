//! The `http` family: a client with a say in everything, and a server for Lua handlers.
//!
//! Not here: WebSockets as a client (the `ws` family), HTTP/2 in the server.
//!
//! # Layout
//! - `request`: `http.get` and its siblings; their options. `client`: `http.client`. `download`:
//!   `http.download`.
//! - `response`, `body`, `events`: what they return or call: a record, with `stream=true` a body to
//!   read from, with `on_event` server-sent events.
//! - `exchange`: one request with its redirects, on the plugin's tokio thread; `retry`: whether it is
//!   sent again. `payload`, `multipart`: what is sent; `incoming`: what comes back.
//! - `connect`: names, sockets, TLS; `proxy`: which one. `failure`: which phase failed.
//! - `serve`: `http.serve` and what is below it, on the host's reactor: no thread of its own.
//! - `headers`, `query`, `json`: between Lua tables and the wire.
//!
//! The server needs the host's reactor (service `assay.reactor/1`), the client does not. The plugin
//! does not declare it as needed, so that scripts on hosts without one still have the client;
//! `http.serve` raises there.
//!
//! # Example
//! ```no_run
//! let host = assay_plugin::test::Host::new(&assay_http::ASSAY_PLUGIN);
//! let response: assay_plugin::Value = host.call("get", ("http://127.0.0.1:8200/v1/sys/health",)).unwrap();
//! assert_eq!(response.get("status"), Some(&assay_plugin::Value::Int(200)));
//! ```

mod body;
mod client;
mod connect;
mod download;
mod events;
mod exchange;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod incoming;
mod json;
mod multipart;
mod payload;
mod proxy;
mod query;
mod request;
mod response;
mod retry;
mod serve;

use assay_plugin::plugin;

use client::client;
use download::download;
use request::{delete, get, head, options, patch, post, put, request};
use serve::serve;

plugin! {
    /// HTTP: a client, and a server whose handlers are Lua functions.
    name: "http",
    permissions: ["net.connect", "net.listen", "fs.read", "fs.write"],
    shutdown: serve::shutdown,
    types: include_str!("../types/http.lua"),
    functions: {
        /// Sends a GET request. A status of 400 or more does not raise; a failed transfer does.
        async fn get = "fun(url: string, opts?: http.Options): http.Response",
        /// Sends a HEAD request.
        async fn head = "fun(url: string, opts?: http.Options): http.Response",
        /// Sends an OPTIONS request.
        async fn options = "fun(url: string, opts?: http.Options): http.Response",
        /// Sends a DELETE request; `opts.body` is allowed.
        async fn delete = "fun(url: string, opts?: http.Options): http.Response",
        /// Sends a POST request. A table as body is sent as JSON.
        async fn post = "fun(url: string, body?: string|table, opts?: http.Options): http.Response",
        /// Sends a PUT request. A table as body is sent as JSON.
        async fn put = "fun(url: string, body?: string|table, opts?: http.Options): http.Response",
        /// Sends a PATCH request. A table as body is sent as JSON.
        async fn patch = "fun(url: string, body?: string|table, opts?: http.Options): http.Response",
        /// Sends a request whose method and URL are options too.
        async fn request = "fun(request: http.Request.Options): http.Response",
        /// Loads a file: all of it, or nothing is written. Returns how many bytes it has.
        async fn download = "fun(url: string, path: string, opts?: http.Download.Options): integer",
        /// Makes a client: defaults for its calls, and connections that they share.
        fn client = "fun(opts?: http.Client.Options): http.Client",
        /// Serves until the process is asked to end, then drains. Handlers run concurrently and may wait.
        async fn serve = "fun(port: integer, routes: http.Routes, opts?: http.Serve.Options)",
    },
    classes: [
        client::Client,
        response::Response,
        body::Body,
        serve::request::Request,
        serve::stream::Writer,
        serve::stream::Events,
        serve::websocket::WebSocket,
    ],
}
