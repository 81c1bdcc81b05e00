//! One request with its redirects, on the plugin's tokio thread.

use std::time::Duration;

use assay_plugin::{Cx, Error, Result};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use crate::failure;

/// A request of which every part was checked.
pub struct Exchange {
    pub http: reqwest::Client,
    pub method: Method,
    pub url: Url,
    /// The script's, of the call and of the client.
    pub headers: HeaderMap,
    /// With the content type that goes with it.
    pub body: Option<(Bytes, Option<HeaderValue>)>,
    pub timeout: Duration,
    pub max_redirects: u32,
    pub follow_redirects: bool,
    pub max_body: u64,
    pub stream: bool,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Of the last hop.
    pub url: Url,
    pub body: Content,
}

/// A body, read or not.
pub enum Content {
    Whole(Vec<u8>),
    Stream(Box<reqwest::Response>),
}

impl Exchange {
    /// Sends it.
    ///
    /// # Errors
    /// Whose kind is the phase that failed.
    pub async fn run(mut self, cx: Cx) -> Result<Answer> {
        let deadline = Instant::now() + self.timeout;
        let mut hops = 0;
        let response = loop {
            let response = self.send(&cx, deadline).await?;
            let Some(next) = self.redirect(&response)? else {
                break response;
            };
            hops += 1;
            if hops > self.max_redirects {
                let what = format!("more than {} redirects", self.max_redirects);
                return Err(
                    failure::error("redirect", what, &self.url).status(response.status().as_u16())
                );
            }
            self.turn_to(next, response.status());
        };
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = if self.stream {
            Content::Stream(Box::new(response))
        } else {
            Content::Whole(self.read(response, deadline).await?)
        };
        Ok(Answer {
            status,
            headers,
            url: self.url,
            body,
        })
    }

    async fn send(&self, cx: &Cx, deadline: Instant) -> Result<reqwest::Response> {
        cx.require("net.connect", &target(&self.url))?;
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some((_, Some(content_type))) = &self.body {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        crate::headers::replace(headers, self.headers.clone());
        if let Some((body, _)) = &self.body {
            *request.body_mut() = Some(body.clone().into());
        }
        match timeout_at(deadline, self.http.execute(request)).await {
            Ok(result) => result.map_err(|error| failure::of(&error, &self.url, false)),
            Err(_) => Err(self.too_late("no answer")),
        }
    }

    fn too_late(&self, what: &str) -> Error {
        let seconds = self.timeout.as_secs_f64();
        failure::error("timeout", format!("{what} within {seconds} s"), &self.url)
            .hint("the option `timeout` is in seconds")
    }

    /// Where a response sends us, if it does and we follow.
    fn redirect(&self, response: &reqwest::Response) -> Result<Option<Url>> {
        if !self.follow_redirects
            || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        {
            return Ok(None);
        }
        let Some(location) = response.headers().get(LOCATION) else {
            return Ok(None);
        };
        let wrong = |what: String| {
            failure::error("redirect", what, &self.url).status(response.status().as_u16())
        };
        let text = location
            .to_str()
            .map_err(|_| wrong("the location is not text".into()))?;
        let mut next = self
            .url
            .join(text)
            .map_err(|error| wrong(format!("the location is no URL: {error}")))?;
        if !matches!(next.scheme(), "http" | "https") {
            return Err(wrong(format!(
                "the location leads to `{}:`, not to http or https",
                next.scheme()
            )));
        }
        let repeats = matches!(response.status().as_u16(), 307 | 308);
        if repeats && self.body.is_some() && self.url.scheme() == "https" && next.scheme() == "http"
        {
            return Err(wrong(format!(
                "would send the body without TLS to {}",
                failure::redacted(&next)
            ))
            .hint("set `follow_redirects=false` to look at the response"));
        }
        // A server does not get to choose whom we authenticate as. These have a host, so both succeed.
        let _ = next.set_username("");
        let _ = next.set_password(None);
        Ok(Some(next))
    }

    /// Makes this the request for the next hop.
    fn turn_to(&mut self, next: Url, status: StatusCode) {
        if next.origin() != self.url.origin() {
            // Not only `authorization`: tokens travel in headers of any name.
            self.headers.clear();
        }
        let keeps = matches!(status.as_u16(), 307 | 308);
        if !keeps {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
        }
        self.url = next;
    }

    async fn read(&self, mut response: reqwest::Response, deadline: Instant) -> Result<Vec<u8>> {
        let too_large = || {
            failure::error(
                "body",
                format!("larger than {} bytes", self.max_body),
                &self.url,
            )
            .hint("raise the option `max_body`, or read it in parts with `stream=true`")
        };
        let announced = response.content_length().unwrap_or(0);
        if announced > self.max_body && self.method != Method::HEAD {
            return Err(too_large());
        }
        // One byte more for the zero that ends a buffer on its way into Lua; an announcement is no
        // reason to allocate at will.
        let mut body = Vec::with_capacity(announced.min(16 << 20) as usize + 1);
        loop {
            let chunk = match timeout_at(deadline, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| failure::of(&error, &self.url, true))?,
                Err(_) => return Err(self.too_late("the body did not end")),
            };
            let Some(chunk) = chunk else { return Ok(body) };
            if body.len() as u64 + chunk.len() as u64 > self.max_body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
    }
}

/// `host:port`, as permissions have it.
fn target(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}

/// What we call ourselves.
const AGENT: &str = concat!("assay/", env!("CARGO_PKG_VERSION"));
