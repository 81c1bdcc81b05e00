//! `assay-bench-axum PORT`: what `benches/servers/assay.lua` serves, without Lua, on one thread.

use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args()
        .nth(1)
        .ok_or("usage: assay-bench-axum PORT")?
        .parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let routes = Router::new()
            .route("/", get(async || "hello"))
            .route("/echo", post(async |Json(value): Json<Value>| Json(value)));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, routes).await?;
        Ok(())
    })
}
