//! `http.Response`: what a request returns.

use std::time::Duration;

use assay_plugin::json::Text;
use assay_plugin::{Buf, Bytes, De, Error, Record, Ref, Result, Ser, Value, View, record};
use hyper::Version;
use serde::Deserialize;

use crate::body::Body;
use crate::exchange::{Answer, Content};
use crate::headers;

/// The class of responses.
pub struct Response;

record! {
    /// A response.
    ///
    /// ---@field status integer
    /// ---@field headers table<string, string> lower-case names; repeated values joined with `, ` (the first `set-cookie` only)
    /// ---@field body string|http.Body with `stream=true` an object to read from
    /// ---@field url string of the last hop
    /// ---@field version string of HTTP: `1.1`, `2`
    /// ---@field repeated_headers? table<string, string[]> the headers that came more than once
    Response as "http.Response" {
        /// The body as JSON. Nulls become nil, or with `null=true` `json.null`.
        fn json = "fun(self: http.Response, opts?: {null?: boolean}): any",
        /// All values of a header, in any case; an empty list without it.
        fn header_values = "fun(self: http.Response, name: string): string[]",
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonOptions {
    null: bool,
}

impl Response {
    fn json(this: View<'_>, opts: Option<De<JsonOptions>>) -> Result<Text> {
        read_json(this, "response", opts)
    }

    fn header_values(this: View<'_>, name: &str) -> Result<Value> {
        let name = name.to_ascii_lowercase();
        if let Some(values) = this
            .get("repeated_headers")
            .and_then(|repeated| repeated.get(&name))
        {
            return values.to_value();
        }
        let value = this.get("headers").and_then(|headers| headers.get(&name));
        value
            .into_iter()
            .map(View::to_value)
            .collect::<Result<_>>()
            .map(Value::List)
    }
}

/// The `json` method of requests and responses.
pub(crate) fn read_json(this: View<'_>, what: &str, opts: Option<De<JsonOptions>>) -> Result<Text> {
    let nulls = opts.is_some_and(|opts| opts.0.null);
    let body = this.get("body").and_then(View::as_bytes).ok_or_else(|| {
        Error::argument(format!("the {what}'s `body` is no string"))
            .hint("call it as a method (`:json()`); a streamed body is read with `body:read()`")
    })?;
    Ok(Text::new(body, "the body", nulls))
}

/// The record of an answer whose body, if it is left with the server, has a timeout for each part.
pub(crate) fn record(answer: Answer, timeout: Duration) -> Record<Response> {
    let record = Record::new()
        .field("status", answer.status)
        .field("repeated_headers", headers::repeated(&answer.headers))
        .field("headers", Ser(headers::Table(answer.headers)))
        .field("url", answer.url.as_str().to_owned())
        .field("version", version(answer.version));
    match answer.body {
        // Large bodies cross without a copy, small ones are copied for less than a handle costs.
        Content::Whole(body) if body.len() >= 4096 => record.field("body", Buf::new(body)),
        Content::Whole(body) => record.field("body", Bytes(body)),
        Content::Stream(incoming) => record.field("body", Ref::new(Body::new(incoming, timeout))),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
