//! `http.client`: defaults for calls, and the connections that they share.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use assay_plugin::tls::{Identity, Pem, Trust, rustls};
use assay_plugin::{Cx, Error, Record, Ref, Result, View, from_view, object};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::request::{Auth, Call, Seen, parse_url, request_headers, run, seconds};
use crate::response::Response;

/// A client that a script made.
pub struct Client(Mutex<Option<Arc<Settings>>>);

object! {
    /// A client: defaults for its calls, and connections that they share.
    Client as "http.Client" {
        /// As `http.get`, with this client's defaults.
        async fn get = "fun(self: http.Client, url: string, opts?: http.Options): http.Response",
        /// As `http.head`, with this client's defaults.
        async fn head = "fun(self: http.Client, url: string, opts?: http.Options): http.Response",
        /// As `http.options`, with this client's defaults.
        async fn options = "fun(self: http.Client, url: string, opts?: http.Options): http.Response",
        /// As `http.delete`, with this client's defaults.
        async fn delete = "fun(self: http.Client, url: string, opts?: http.Options): http.Response",
        /// As `http.post`, with this client's defaults.
        async fn post = "fun(self: http.Client, url: string, body?: string|table, opts?: http.Options): http.Response",
        /// As `http.put`, with this client's defaults.
        async fn put = "fun(self: http.Client, url: string, body?: string|table, opts?: http.Options): http.Response",
        /// As `http.patch`, with this client's defaults.
        async fn patch = "fun(self: http.Client, url: string, body?: string|table, opts?: http.Options): http.Response",
        /// As `http.request`, with this client's defaults.
        async fn request = "fun(self: http.Client, request: http.Request.Options): http.Response",
        /// Closes the idle connections; calls from now on raise.
        fn close = "fun(self: http.Client)",
        fn __close = "fun(self: http.Client)",
    }
}

/// The options of a client, as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Options {
    base_url: Option<String>,
    headers: Seen,
    auth: Option<Auth>,
    timeout: Option<f64>,
    connect_timeout: Option<f64>,
    follow_redirects: Option<bool>,
    max_redirects: Option<u32>,
    max_body: Option<u64>,
    ca_cert: Option<String>,
    ca_cert_file: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
    insecure: bool,
    pool: Option<u32>,
}

/// What calls fall back to.
pub(crate) struct Settings {
    base_url: Option<String>,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub follow_redirects: bool,
    pub max_redirects: u32,
    pub max_body: u64,
    pub transport: Transport,
}

/// `http.client(opts?)`
pub fn client(cx: Cx, opts: View<'_>) -> Result<Ref<Client>> {
    let read = if opts.is_nil() {
        Ok(Options::default())
    } else {
        from_view::<Options>(opts)
    };
    let read = read.map_err(|error| error.context("argument 1"))?;
    let mut extra = Vec::new();
    if let Some(text) = &read.ca_cert {
        extra.extend(Pem::read(&cx, "ca_cert", text)?.roots()?);
    }
    if let Some(path) = &read.ca_cert_file {
        extra.extend(Pem::file(&cx, "ca_cert_file", path)?.roots()?);
    }
    let identity = identity(&cx, read.client_cert.as_deref(), read.client_key.as_deref())?;
    let mut headers = HeaderMap::new();
    if let Some(auth) = &read.auth {
        headers.insert(AUTHORIZATION, auth.header()?);
    }
    if let Some(table) = opts.get("headers") {
        crate::headers::replace(&mut headers, request_headers(table)?);
    }
    let base_url = match read.base_url {
        Some(text) => {
            let url = parse_url(&text).map_err(|error| error.context("option `base_url`"))?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Error::argument(
                    "option `base_url`: expected a URL without query and fragment",
                ));
            }
            Some(String::from(url))
        }
        None => None,
    };
    let defaults = Settings::new(Transport::new(
        Trust {
            extra,
            insecure: read.insecure,
        }
        .config(identity.as_ref())?,
        read.pool,
    ));
    let settings = Settings {
        base_url,
        headers,
        timeout: read
            .timeout
            .map_or(Ok(defaults.timeout), |value| seconds("timeout", value))?,
        connect_timeout: read
            .connect_timeout
            .map_or(Ok(defaults.connect_timeout), |value| {
                seconds("connect_timeout", value)
            })?,
        follow_redirects: read.follow_redirects.unwrap_or(defaults.follow_redirects),
        max_redirects: read.max_redirects.unwrap_or(defaults.max_redirects),
        max_body: read.max_body.unwrap_or(defaults.max_body),
        transport: defaults.transport,
    };
    Ok(Ref::new(Client(Mutex::new(Some(Arc::new(settings))))))
}

/// Who the client says it is. The key may be in the certificate's own text.
fn identity(
    cx: &Cx,
    client_cert: Option<&str>,
    client_key: Option<&str>,
) -> Result<Option<Identity>> {
    let certificate = match (client_cert, client_key) {
        (Some(certificate), _) => Pem::read(cx, "client_cert", certificate)?,
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(Error::argument("option `client_cert` is missing")
                .hint("`client_key` is the key of a certificate"));
        }
    };
    match client_key {
        Some(key) => Identity::new(&certificate, &Pem::read(cx, "client_key", key)?),
        None => Identity::new(&certificate, &certificate),
    }
    .map(Some)
}

impl Settings {
    fn new(transport: Transport) -> Self {
        Self {
            base_url: None,
            headers: HeaderMap::new(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            follow_redirects: true,
            max_redirects: 10,
            max_body: 100 << 20,
            transport,
        }
    }

    /// Those of `http.get` and its siblings.
    pub fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceLock<Arc<Settings>> = OnceLock::new();
        if let Some(settings) = SHARED.get() {
            return Ok(Arc::clone(settings));
        }
        let made = Arc::new(Self::new(Transport::new(
            Trust::default().config(None)?,
            None,
        )));
        Ok(Arc::clone(SHARED.get_or_init(|| made)))
    }

    /// The URL of a call. What is not absolute is put behind the base URL as it is, so that a base
    /// with a path keeps it.
    pub fn resolve(&self, url: &str) -> Result<Url> {
        match &self.base_url {
            Some(base) if !url.contains("://") => {
                let slash = if url.is_empty() || url.starts_with(['/', '?']) {
                    ""
                } else {
                    "/"
                };
                parse_url(&format!("{}{slash}{url}", base.trim_end_matches('/')))
            }
            _ => parse_url(url),
        }
    }
}

/// Connections: a pool for each connect timeout in use, since reqwest has one timeout for each pool.
pub(crate) struct Transport {
    tls: rustls::ClientConfig,
    pool: Option<u32>,
    made: Mutex<Vec<(Duration, reqwest::Client)>>,
}

impl Transport {
    fn new(tls: rustls::ClientConfig, pool: Option<u32>) -> Self {
        Self {
            tls,
            pool,
            made: Mutex::default(),
        }
    }

    /// The pool for a connect timeout.
    pub fn http(&self, connect_timeout: Duration) -> Result<reqwest::Client> {
        /// A script that computes its timeouts must not pile up pools.
        const MOST: usize = 8;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, http)) = made.iter().find(|(timeout, _)| *timeout == connect_timeout) {
            return Ok(http.clone());
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect_timeout);
        if let Some(idle) = self.pool {
            builder = builder.pool_max_idle_per_host(idle as usize);
        }
        let http = builder
            .build()
            .map_err(|error| Error::new("client", format!("cannot make a client: {error}")))?;
        if made.len() == MOST {
            made.remove(0);
        }
        made.push((connect_timeout, http.clone()));
        Ok(http)
    }
}

macro_rules! without_body {
    ($($name:ident = $method:ident;)*) => { $(
        fn $name(this: Ref<Client>, cx: Cx, url: &str, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            run(cx, this.settings().and_then(|settings| Call::read(settings, Method::$method, url, None, opts, 2)))
        }
    )* };
}

macro_rules! with_body {
    ($($name:ident = $method:ident;)*) => { $(
        fn $name(this: Ref<Client>, cx: Cx, url: &str, body: View<'_>, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            run(cx, this.settings().and_then(|settings| Call::read(settings, Method::$method, url, Some(body), opts, 3)))
        }
    )* };
}

impl Client {
    without_body! {
        get = GET;
        head = HEAD;
        options = OPTIONS;
        delete = DELETE;
    }
    with_body! {
        post = POST;
        put = PUT;
        patch = PATCH;
    }

    fn request(
        this: Ref<Client>,
        cx: Cx,
        opts: View<'_>,
    ) -> impl Future<Output = Result<Record<Response>>> + use<> {
        run(
            cx,
            this.settings()
                .and_then(|settings| Call::read_request(settings, opts)),
        )
    }

    fn close(this: Ref<Client>) {
        this.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn __close(this: Ref<Client>) {
        Self::close(this);
    }

    fn settings(&self) -> Result<Arc<Settings>> {
        let settings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        settings
            .clone()
            .ok_or_else(|| Error::new("closed", "the client is closed"))
    }
}
