//! `http.Body`: a response body that is read as it comes.
//!
//! Nothing is read ahead: a script that does not read leaves the bytes with the sender, by TCP's
//! own flow control. That is the whole of the backpressure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use assay_plugin::{Buf, Cx, Error, Ref, Result, object};
use hyper::body::Bytes;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::failure;

/// A response body.
pub struct Body {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    url: Arc<Url>,
    max_body: u64,
    timeout: Duration,
}

struct State {
    /// None at the end, and when closed.
    response: Option<reqwest::Response>,
    /// Came, and is not read yet.
    left: VecDeque<Bytes>,
    received: u64,
}

object! {
    /// A response body that is read as it comes: an iterator over its chunks.
    Body as "http.Body" {
        /// The next bytes, at most `max`; nil at the end.
        async fn read = "fun(self: http.Body, max?: integer): string?",
        /// The next chunk; nil at the end: `for chunk in resp.body do`.
        async fn __call = "fun(self: http.Body): string?",
        /// Drops what is left, and the connection with it.
        async fn close = "fun(self: http.Body)",
        async fn __close = "fun(self: http.Body)",
    }
}

impl Body {
    pub(crate) fn new(
        response: reqwest::Response,
        url: Arc<Url>,
        max_body: u64,
        timeout: Duration,
    ) -> Self {
        let state = State {
            response: Some(response),
            left: VecDeque::new(),
            received: 0,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                url,
                max_body,
                timeout,
            }),
        }
    }

    async fn read(this: Ref<Body>, cx: Cx, max: Option<u64>) -> Result<Option<Buf>> {
        if max == Some(0) {
            return Err(Error::argument(
                "argument 1: expected a count of bytes from 1, got 0",
            ));
        }
        let max = usize::try_from(max.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let shared = Arc::clone(&this.shared);
        let chunk = cx.tokio(async move { shared.read(max).await }).await?;
        Ok(chunk.map(|chunk| Buf::new(chunk.into())))
    }

    async fn __call(this: Ref<Body>, cx: Cx) -> Result<Option<Buf>> {
        Self::read(this, cx, None).await
    }

    async fn close(this: Ref<Body>) {
        let mut state = this.shared.state.lock().await;
        state.response = None;
        state.left.clear();
    }

    async fn __close(this: Ref<Body>) {
        Self::close(this).await;
    }
}

impl Shared {
    async fn read(&self, max: usize) -> Result<Option<Bytes>> {
        let mut state = self.state.lock().await;
        if let Some(mut chunk) = state.left.pop_front() {
            if chunk.len() > max {
                state.left.push_front(chunk.split_off(max));
            }
            return Ok(Some(chunk));
        }
        loop {
            let Some(response) = &mut state.response else {
                return Ok(None);
            };
            let chunk = match timeout(self.timeout, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| failure::of(&error, &self.url, true)),
                Err(_) => {
                    let seconds = self.timeout.as_secs_f64();
                    Err(failure::error(
                        "timeout",
                        format!("no part of the body within {seconds} s"),
                        &self.url,
                    )
                    .hint("the option `timeout` is in seconds"))
                }
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    state.response = None;
                    return Err(error);
                }
            };
            let Some(mut chunk) = chunk else {
                state.response = None;
                return Ok(None);
            };
            state.received += chunk.len() as u64;
            if state.received > self.max_body {
                state.response = None;
                return Err(failure::error(
                    "body",
                    format!("larger than {} bytes", self.max_body),
                    &self.url,
                )
                .hint("raise the option `max_body`"));
            }
            if chunk.is_empty() {
                continue;
            }
            if chunk.len() > max {
                state.left.push_front(chunk.split_off(max));
            }
            return Ok(Some(chunk));
        }
    }
}
