//! `http.Body`: a response body that is read as it comes.
//!
//! Nothing is read ahead: a script that does not read leaves the bytes with the sender, by TCP's
//! own flow control. That is the whole of the backpressure.

use std::sync::Arc;
use std::time::Duration;

use assay_plugin::{Buf, Cx, Error, Ref, Result, object};
use hyper::body::Bytes;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::failure;
use crate::incoming::Incoming;

/// A response body.
pub struct Body {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    timeout: Duration,
}

struct State {
    /// None at the end, and when closed.
    incoming: Option<Incoming>,
    /// Came, and is not read yet.
    left: Option<Bytes>,
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
    pub(crate) fn new(incoming: Incoming, timeout: Duration) -> Self {
        let state = State {
            incoming: Some(incoming),
            left: None,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
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
        state.incoming = None;
        state.left = None;
    }

    async fn __close(this: Ref<Body>) {
        Self::close(this).await;
    }
}

impl Shared {
    async fn read(&self, max: usize) -> Result<Option<Bytes>> {
        let mut state = self.state.lock().await;
        let mut chunk = match state.left.take() {
            Some(left) => left,
            None => match self.receive(&mut state.incoming).await {
                Ok(Some(chunk)) => chunk,
                end => {
                    state.incoming = None;
                    return end;
                }
            },
        };
        if chunk.len() > max {
            state.left = Some(chunk.split_off(max));
        }
        Ok(Some(chunk))
    }

    async fn receive(&self, incoming: &mut Option<Incoming>) -> Result<Option<Bytes>> {
        match incoming {
            Some(incoming) => next(incoming, self.timeout).await,
            None => Ok(None),
        }
    }
}

/// The next part of a body that is read in parts.
pub(crate) async fn next(incoming: &mut Incoming, within: Duration) -> Result<Option<Bytes>> {
    match timeout(within, incoming.next()).await {
        Ok(chunk) => chunk,
        Err(_) => {
            let error = failure::late("no part of the body", within, incoming.url());
            Err(error.hint("the option `timeout` is in seconds"))
        }
    }
}
