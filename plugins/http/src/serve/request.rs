//! `http.Request`: what a handler gets.

use std::borrow::Borrow;
use std::rc::Rc;

use assay_plugin::{Buf, Bytes, De, Record, Result, Ser, Value, View, record};
use hyper::HeaderMap;
use hyper::http::request::Parts;

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

/// The record of a request.
pub fn record(head: &Rc<Parts>, body: Vec<u8>, path_params: Value, peer: &str) -> Record<Request> {
    let query = head.uri.query().unwrap_or_default();
    let record = Record::new()
        .field("method", head.method.as_str().to_owned())
        .field("path", head.uri.path().to_owned())
        .field("params", query::decode(query))
        .field("query", query.to_owned())
        .field("path_params", path_params)
        .field("headers", Ser(Table(Headers(Rc::clone(head)))))
        .field("peer", peer.to_owned());
    // As for responses: large bodies cross without a copy.
    if body.len() >= 4096 {
        record.field("body", Buf::new(body))
    } else {
        record.field("body", Bytes(body))
    }
}

struct Headers(Rc<Parts>);

impl Borrow<HeaderMap> for Headers {
    fn borrow(&self) -> &HeaderMap {
        &self.0.headers
    }
}
