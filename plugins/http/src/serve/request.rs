//! `http.Request`: what a handler gets.

use assay_plugin::json::Text;
use assay_plugin::{Buf, De, Func, FuncCall, IntoVal, Record, Result, Value, View, record};
use hyper::http::request::Parts;

use super::reply::Reply;
use crate::response::{JsonOptions, read_json};
use crate::{headers, query};

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
    fn json(this: View<'_>, opts: Option<De<JsonOptions>>) -> Result<Text> {
        read_json(this, "request", opts)
    }
}

/// Calls a handler.
pub fn call(
    handler: &Func,
    head: &Parts,
    body: Vec<u8>,
    path_params: &Value,
    peer: &str,
) -> FuncCall<Reply> {
    let headers = headers::entries(&head.headers);
    let query = head.uri.query().unwrap_or_default();
    // As for responses: large bodies cross without a copy.
    let (large, small);
    let body: &dyn IntoVal = if body.len() >= 4096 {
        large = Buf::new(body);
        &large
    } else {
        small = body;
        &small
    };
    handler.call((Record::<Request>::lend(&[
        ("method", &head.method.as_str()),
        ("path", &head.uri.path()),
        ("params", &query::decode(query)),
        ("query", &query),
        ("path_params", path_params),
        ("headers", &&headers[..]),
        ("peer", &peer),
        ("body", body),
    ]),))
}
