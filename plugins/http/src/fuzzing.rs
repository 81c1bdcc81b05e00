//! What `tests/fuzz` reaches past the wire; built only there, with `--cfg fuzzing`.

use assay_plugin::json::Unreadable;
use assay_plugin::{Result, Value, View};

use crate::serve::router::Router;
use crate::{headers, json, query, request};

/// The query string of a table.
pub fn query(table: View<'_>) -> Result<String> {
    query::encode(table, "query")
}

/// The parameters of a query string.
pub fn decode(query: &str) -> Value {
    query::decode(query)
}

/// A request's URL with a query added.
pub fn url(url: &str, table: View<'_>) -> Result<String> {
    let mut url = request::parse_url(url)?;
    request::add_query(&mut url, &query(table)?);
    Ok(crate::failure::redacted(&url))
}

/// A request's headers; what scripts would see of them in a response.
pub fn headers(table: View<'_>) -> Result<Value> {
    let headers = request::request_headers(table)?;
    Ok(headers::repeated(&headers))
}

/// A body as JSON, and back.
pub fn json(text: &[u8]) -> Result<Value, Unreadable<'_>> {
    assay_plugin::json::read(text, true)
}

/// JSON of a table.
pub fn to_json(table: View<'_>) -> Result<Vec<u8>> {
    json::encode(table)
}

/// Looks paths up in routes.
pub fn router(routes: View<'_>, paths: &[String]) -> Result<()> {
    let router = Router::new(routes)?;
    for path in paths {
        for method in ["GET", "HEAD", "POST"] {
            router.find(method, path);
        }
    }
    Ok(())
}

/// The events of a stream that comes in pieces.
pub fn events(pieces: &[&[u8]]) -> Vec<Value> {
    crate::events::parse(pieces)
}
