//! One request with its redirects and retries, on the plugin's tokio thread.

use std::future::{Future, pending, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use assay_plugin::abi::level;
use assay_plugin::{Cx, Error, Result};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
    LOCATION, PROXY_AUTHORIZATION, RANGE, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use crate::client::Settings;
use crate::failure::{self, Max};
use crate::incoming::Incoming;
use crate::payload::Payload;
use crate::retry::{Outcome, Retries};

/// What we call ourselves.
pub const AGENT: &str = concat!("assay/", env!("CARGO_PKG_VERSION"));

/// A request of which every part was checked.
pub struct Exchange {
    pub settings: Arc<Settings>,
    pub hop: Hop,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub max_redirects: u32,
    pub follow_redirects: bool,
    pub max_body: Max,
    pub retries: Option<Retries>,
    /// The body is left with the server.
    pub stream: bool,
    /// It may come compressed, unless the script says what it wants.
    pub unpack: bool,
}

/// A request as it is sent once.
#[derive(Clone)]
pub struct Hop {
    pub method: Method,
    pub url: Url,
    /// The script's, of the call and of the client.
    pub headers: HeaderMap,
    /// With the content type that goes with it.
    pub body: Option<(Payload, Option<HeaderValue>)>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub version: Version,
    /// Of the last hop.
    pub url: Arc<Url>,
    pub body: Content,
}

/// A body, read or not.
pub enum Content {
    Whole(Vec<u8>),
    Stream(Incoming),
}

impl Exchange {
    /// Sends it, as often as its retries say.
    ///
    /// # Errors
    /// Whose kind is the phase that failed.
    pub async fn run(&self, cx: &Cx) -> Result<Answer> {
        let mut done = 0;
        loop {
            let result = self.attempt(cx).await;
            done += 1;
            let outcome = match &result {
                Ok(answer) => Outcome::Status(answer.status, answer.headers.get(RETRY_AFTER)),
                Err(error) => Outcome::Failed(error),
            };
            match self.pause(cx, done, &outcome) {
                Some(pause) => sleep(pause).await,
                None => return result,
            }
        }
    }

    /// How long to wait before the next attempt, if there is to be one.
    pub fn pause(&self, cx: &Cx, done: u32, outcome: &Outcome<'_>) -> Option<Duration> {
        let retries = self.retries.as_ref()?;
        let pause = retries.pause(done, &self.hop.method, outcome)?;
        let what = match outcome {
            Outcome::Status(status, _) => {
                format!("{status} ({})", failure::redacted(&self.hop.url))
            }
            Outcome::Failed(error) => error.to_string(),
        };
        let message = format!("http: attempt {done}: {what}, again in {pause:.1?}");
        cx.log(level::DEBUG, &message);
        Some(pause)
    }

    /// Sends it once and follows where that leads.
    pub async fn attempt(&self, cx: &Cx) -> Result<Answer> {
        let deadline = Instant::now() + self.timeout;
        let mut hop = self.hop.clone();
        let mut hops = 0;
        let response = loop {
            let response = self.send(cx, &hop, deadline).await?;
            let Some(next) = self.redirect(&hop, &response)? else {
                break response;
            };
            hops += 1;
            if hops > self.max_redirects {
                let what = format!("more than {} redirects", self.max_redirects);
                return Err(
                    failure::error("redirect", what, &hop.url).status(response.status().as_u16())
                );
            }
            hop.turn_to(next, response.status());
        };
        let (mut head, body) = response.into_parts();
        let unpack = self.unpacks(&hop) && is_gzip(&head.headers);
        if unpack {
            // They are of what was sent.
            head.headers.remove(CONTENT_ENCODING);
            head.headers.remove(CONTENT_LENGTH);
        }
        let url = Arc::new(hop.url);
        let body = Incoming::new(body, Arc::clone(&url), self.max_body, unpack);
        let body = if self.stream {
            Content::Stream(body)
        } else {
            let is_head = hop.method == Method::HEAD;
            Content::Whole(self.read(body, is_head, deadline).await?)
        };
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            version: head.version,
            url,
            body,
        })
    }

    async fn send(
        &self,
        cx: &Cx,
        hop: &Hop,
        deadline: Instant,
    ) -> Result<Response<hyper::body::Incoming>> {
        self.settings.transport.allow(cx, &hop.url)?;
        let uri = Uri::try_from(hop.url.as_str()).map_err(|error| {
            Error::argument(format!("{error} ({})", failure::redacted(&hop.url)))
        })?;
        /// Many requests at once may meet one connection after the other at its end; `timeout` is
        /// the limit for a server that never takes any.
        const REFUSALS: u32 = 100;
        let mut refusals = 0;
        loop {
            let mut request = self.request(hop, uri.clone())?;
            let connection = capture_connection(&mut request);
            let sent = self.settings.transport.http.request(request);
            let connected = connected(connection, self.connect_timeout);
            let result = match timeout_at(deadline, first(sent, connected)).await {
                Ok(Some(result)) => result,
                Ok(None) => {
                    let what = "no connection";
                    let error = failure::late(what, self.connect_timeout, &hop.url);
                    return Err(error.hint("the option `connect_timeout` is in seconds"));
                }
                Err(_) => {
                    let error = failure::late("no answer", self.timeout, &hop.url);
                    return Err(error.hint("the option `timeout` is in seconds"));
                }
            };
            match result {
                // HTTP/2's way to say that nothing was done with it.
                Err(error) if refusals < REFUSALS && failure::was_refused(&error) => refusals += 1,
                result => return result.map_err(|error| failure::of(&error, &hop.url, false)),
            }
        }
    }

    fn request(&self, hop: &Hop, uri: Uri) -> Result<Request<crate::payload::Outgoing>> {
        let body = match &hop.body {
            Some((body, _)) => body.open()?,
            None => Default::default(),
        };
        let mut request = Request::new(body);
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some((_, Some(content_type))) = &hop.body {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        if let Some(basic) = self.settings.transport.proxy_authorization(&uri)? {
            headers.insert(PROXY_AUTHORIZATION, basic);
        }
        if self.unpacks(hop) {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        crate::headers::replace(headers, hop.headers.clone());
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = uri;
        Ok(request)
    }

    /// Whether a compressed body is asked for, and unpacked. Part of one could not be.
    fn unpacks(&self, hop: &Hop) -> bool {
        self.unpack
            && hop.method != Method::HEAD
            && !hop.headers.contains_key(ACCEPT_ENCODING)
            && !hop.headers.contains_key(RANGE)
    }

    /// Where a response sends us, if it does and we follow.
    fn redirect(
        &self,
        hop: &Hop,
        response: &Response<hyper::body::Incoming>,
    ) -> Result<Option<Url>> {
        if !self.follow_redirects
            || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        {
            return Ok(None);
        }
        let Some(location) = response.headers().get(LOCATION) else {
            return Ok(None);
        };
        let wrong = |what: String| {
            failure::error("redirect", what, &hop.url).status(response.status().as_u16())
        };
        let text = location
            .to_str()
            .map_err(|_| wrong("the location is not text".into()))?;
        let mut next = hop
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
        if repeats && hop.body.is_some() && hop.url.scheme() == "https" && next.scheme() == "http" {
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

    async fn read(&self, mut body: Incoming, is_head: bool, deadline: Instant) -> Result<Vec<u8>> {
        let announced = body.announced();
        if announced > self.max_body.bytes && !is_head {
            return Err(failure::too_large(self.max_body, body.url()));
        }
        // One byte more for the zero that ends a buffer on its way into Lua; an announcement is no
        // reason to allocate at will.
        let mut whole = Vec::with_capacity(announced.min(16 << 20) as usize + 1);
        loop {
            match timeout_at(deadline, body.next()).await {
                Ok(Ok(Some(chunk))) => whole.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(whole),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let error = failure::late("the body did not end", self.timeout, body.url());
                    return Err(error.hint("the option `timeout` is in seconds"));
                }
            }
        }
    }
}

impl Hop {
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
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let coding = headers.get(CONTENT_ENCODING);
    coding.is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// The address that a URL has in the place of a name.
pub fn literal(url: &Url) -> Option<SocketAddr> {
    let bare = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    let ip: IpAddr = bare.parse().ok()?;
    Some(SocketAddr::new(ip, url.port_or_known_default()?))
}

/// Ends when there was no connection for so long; never when there is one.
async fn connected(mut connection: CaptureConnection, within: Duration) {
    let connecting = async {
        // Also ends when the request does, without one.
        if connection.wait_for_connection_metadata().await.is_none() {
            pending::<()>().await;
        }
    };
    if timeout(within, connecting).await.is_ok() {
        pending::<()>().await;
    }
}

/// What the first future came to, unless the second one ends before.
async fn first<T>(future: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let (mut future, mut limit) = (pin!(future), pin!(limit));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        limit.as_mut().poll(cx).map(|()| None)
    })
    .await
}
