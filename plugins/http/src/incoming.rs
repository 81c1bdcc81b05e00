//! The body of a response as it comes, up to a limit.

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;

use assay_plugin::{Error, Result};
use flate2::write::MultiGzDecoder;
use hyper::body::{Body, Bytes};
use url::Url;

use crate::failure::{self, Max};

/// A body that is still with the server, or on its way.
pub struct Incoming {
    body: hyper::body::Incoming,
    url: Arc<Url>,
    /// Of what is handed out, unpacked or not.
    max: Max,
    received: u64,
    gzip: Option<Box<MultiGzDecoder<Vec<u8>>>>,
}

impl Incoming {
    pub fn new(body: hyper::body::Incoming, url: Arc<Url>, max: Max, unpack: bool) -> Self {
        Self {
            body,
            url,
            max,
            received: 0,
            gzip: unpack.then(|| Box::new(MultiGzDecoder::new(Vec::new()))),
        }
    }

    /// The URL that it is from.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How much is to come, where the server says so.
    pub fn announced(&self) -> u64 {
        match self.gzip {
            Some(_) => 0,
            None => self.body.size_hint().exact().unwrap_or(0),
        }
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
                None => return self.end(),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Err(failure::of(&error, &self.url, true)),
            };
            // Trailers are for nobody here.
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            let chunk = match self.gzip {
                Some(_) => self.unpack(&chunk)?,
                None => chunk,
            };
            self.received += chunk.len() as u64;
            if self.received > self.max.bytes {
                return Err(failure::too_large(self.max, &self.url));
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    fn unpack(&mut self, chunk: &[u8]) -> Result<Bytes> {
        /// One byte becomes a thousand at most, and is not to become more than may come.
        const STEP: usize = 4096;
        let Some(gzip) = &mut self.gzip else {
            return Ok(Bytes::new());
        };
        for step in chunk.chunks(STEP) {
            let result = gzip.write_all(step).and_then(|()| gzip.flush());
            result.map_err(|error| packed_wrong(&error, &self.url))?;
            if self.received + gzip.get_ref().len() as u64 > self.max.bytes {
                return Err(failure::too_large(self.max, &self.url));
            }
        }
        Ok(std::mem::take(gzip.get_mut()).into())
    }

    fn end(&mut self) -> Result<Option<Bytes>> {
        match self.gzip.take() {
            // Checks length and checksum; what came is handed out already.
            Some(mut gzip) => match gzip.try_finish() {
                Ok(()) => Ok(None),
                Err(error) => Err(packed_wrong(&error, &self.url)),
            },
            None => Ok(None),
        }
    }
}

fn packed_wrong(error: &io::Error, url: &Url) -> Error {
    failure::error("body", format!("cannot unpack it: {error}"), url)
}
