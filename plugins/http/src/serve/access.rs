//! The access log: a line for each response, when its last byte was handed over.

use std::rc::Rc;
use std::time::Instant;

use assay_plugin::abi::level;
use hyper::StatusCode;
use hyper::http::request::Parts;

use super::Server;
use super::connection::Connection;

/// What the line of a request will say.
pub struct Access {
    server: Rc<Server>,
    connection: Rc<Connection>,
    began: Instant,
    method: String,
    path: String,
    pub status: StatusCode,
    /// Of the body, without its framing.
    pub bytes: u64,
}

impl Access {
    /// With the path alone: queries hold tokens.
    pub(super) fn new(server: &Rc<Server>, connection: &Rc<Connection>, head: &Parts) -> Self {
        Self {
            server: Rc::clone(server),
            connection: Rc::clone(connection),
            began: Instant::now(),
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            status: StatusCode::OK,
            bytes: 0,
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let duration = self.began.elapsed().as_secs_f64() * 1000.0;
        self.server.cx.log_fields(
            level::INFO,
            "http.serve",
            &[
                ("method", &self.method),
                ("path", &self.path),
                ("status", &self.status.as_u16()),
                ("bytes", &self.bytes),
                ("duration_ms", &((duration * 1000.0).round() / 1000.0)),
                ("peer", &self.connection.peer),
            ],
        );
    }
}
