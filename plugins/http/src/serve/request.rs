//! `http.Request`: what a handler gets.

use assay_plugin::{Buf, Bytes, De, Record, Result, Ser, Value, View, record};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Version};

use crate::headers::Table;
use crate::query;
use crate::response::{JsonOptions, decode_body};

/// The class of requests.
pub struct Request;

record! {
    /// A request, as a handler gets it.
    ///
    /// ---@field method string in capitals
    /// ---@field path string as sent, still percent-encoded
    /// ---@field query string as sent, without the `?`; empty without one
    /// ---@field params table<string, string|string[]> the decoded query; what repeats is a list
    /// ---@field path_params table<string, string> decoded; the rest that `/*` matched is under `*`
    /// ---@field headers table<string, string> lower-case names; repeated values joined with `, `
    /// ---@field body string
    /// ---@field peer string `ip:port`
    Request as "http.Request" {
        /// The body as JSON. Nulls become nil, or with `null=true` `json.null`.
        fn json = "fun(self: http.Request, opts?: {null?: boolean}): any",
    }
}

impl Request {
    fn json(this: View<'_>, opts: Option<De<JsonOptions>>) -> Result<Value> {
        decode_body(this, "request", opts)
    }
}

/// What is kept of a request while its handler runs.
///
/// Copies, and of few headers: hyper reads into one buffer as long as nobody holds a part of it, and
/// while a handler waits it reads to learn whether the client is still there.
pub struct Kept {
    pub method: Method,
    pub path: String,
    pub version: Version,
    /// Those that files and WebSockets are asked for with.
    pub headers: HeaderMap,
}

/// What files are asked for with.
const OF_FILES: [HeaderName; 6] = [
    RANGE,
    IF_RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
];

/// What WebSockets are asked for with.
const OF_UPGRADES: [HeaderName; 5] = [
    UPGRADE,
    CONNECTION,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
];

impl Kept {
    pub fn of(head: &Parts) -> Self {
        let upgrade = head.headers.contains_key(UPGRADE);
        let mut headers = HeaderMap::new();
        for (name, value) in &head.headers {
            if (OF_FILES.contains(name) || upgrade && OF_UPGRADES.contains(name))
                && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
            {
                headers.append(name, value);
            }
        }
        Self {
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            version: head.version,
            headers,
        }
    }

    /// As the log calls it.
    pub fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// The record of a request.
pub fn record(head: Parts, body: Vec<u8>, path_params: Value, peer: &str) -> Record<Request> {
    let query = head.uri.query().unwrap_or_default();
    let record = Record::new()
        .field("method", head.method.as_str().to_owned())
        .field("path", head.uri.path().to_owned())
        .field("params", query::decode(query))
        .field("query", query.to_owned())
        .field("path_params", path_params)
        .field("headers", Ser(Table(head.headers)))
        .field("peer", peer.to_owned());
    // As for responses: large bodies cross without a copy.
    if body.len() >= 4096 {
        record.field("body", Buf::new(body))
    } else {
        record.field("body", Bytes(body))
    }
}
