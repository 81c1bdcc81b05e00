//! The body of a response as it comes, up to a limit.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use assay_plugin::Result;
use hyper::body::{Body, Bytes};
use url::Url;

use crate::failure;

/// A body that is still with the server, or on its way.
pub struct Incoming {
    body: hyper::body::Incoming,
    url: Arc<Url>,
    max: u64,
    received: u64,
}

impl Incoming {
    pub fn new(body: hyper::body::Incoming, url: Arc<Url>, max: u64) -> Self {
        Self {
            body,
            url,
            max,
            received: 0,
        }
    }

    /// The URL that it is from.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How much is to come, where the server says so.
    pub fn announced(&self) -> u64 {
        self.body.size_hint().exact().unwrap_or(0)
    }

    /// The next part, which is not empty; None at the end. What came is not lost when the future is
    /// dropped.
    ///
    /// # Errors
    /// Kind `body`, when it is cut short or larger than the limit.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            let frame = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(failure::of(&error, &self.url, true)),
            };
            // Trailers are for nobody here.
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            self.received += chunk.len() as u64;
            if self.received > self.max {
                return Err(failure::too_large(self.max, &self.url));
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}
