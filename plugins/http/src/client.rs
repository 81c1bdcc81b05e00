//! `http.client`: defaults for calls, and the connections that they share.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_plugin::tls::{Identity, Pem, Trust, rustls};
use assay_plugin::{Cx, Error, Record, Ref, Result, Value, View, from_view, object};
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::http::uri::Scheme;
use hyper::{Method, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use url::Url;

use crate::connect::Connector;
use crate::download::{self, Download};
use crate::exchange::literal;
use crate::payload::Outgoing;
use crate::proxy::{Kind, Proxies};
use crate::request::{Auth, Call, Seen, parse_url, request_headers, run, seconds};
use crate::response::Response;
use crate::retry::{self, Retries};

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
        /// As `http.download`, with this client's defaults.
        async fn download = "fun(self: http.Client, url: string, path: string, opts?: http.Download.Options): integer",
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
    proxy: Option<Value>,
    no_proxy: Option<Value>,
    unix_socket: Option<String>,
    pool: Option<u32>,
    retries: Option<retry::Options>,
}

/// What calls fall back to.
pub(crate) struct Settings {
    base_url: Option<String>,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub follow_redirects: bool,
    pub max_redirects: u32,
    pub max_body: Option<u64>,
    pub retries: Option<Retries>,
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
    let base_url = match &read.base_url {
        Some(text) => {
            let url = parse_url(text).map_err(|error| error.context("option `base_url`"))?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Error::argument(
                    "option `base_url`: expected a URL without query and fragment",
                ));
            }
            Some(String::from(url))
        }
        // A socket leads to one server, whatever it is called.
        None => read.unix_socket.as_ref().map(|_| "http://localhost".into()),
    };
    let proxies = proxies(read.proxy.as_ref(), read.no_proxy.as_ref())?;
    let trust = Trust {
        extra,
        insecure: read.insecure,
        ..Trust::default()
    };
    let defaults = Settings::new(Transport::new(
        cx,
        &trust.config(identity.as_ref())?,
        proxies,
        read.unix_socket.map(PathBuf::from),
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
        max_body: read.max_body,
        retries: read.retries.as_ref().map(Retries::new).transpose()?,
        transport: defaults.transport,
    };
    Ok(Ref::new(Client(Mutex::new(Some(Arc::new(settings))))))
}

/// `proxy` is a URL, or false for none, and wins over the variables with its own `no_proxy`.
fn proxies(proxy: Option<&Value>, no_proxy: Option<&Value>) -> Result<Proxies> {
    let hosts = match no_proxy {
        None => None,
        Some(Value::Bytes(hosts)) => Some(String::from_utf8_lossy(hosts).into_owned()),
        Some(Value::List(hosts)) if hosts.iter().all(|host| host.as_str().is_some()) => {
            let hosts: Vec<_> = hosts.iter().filter_map(Value::as_str).collect();
            Some(hosts.join(","))
        }
        Some(_) => {
            return Err(Error::argument(
                "option `no_proxy`: expected a string or a list of strings",
            ));
        }
    };
    match (proxy, hosts) {
        (None, None) => Proxies::of_the_environment(),
        (Some(Value::Bool(false)), None) => Ok(Proxies::none()),
        (Some(Value::Bytes(url)), hosts) => {
            Proxies::one(&String::from_utf8_lossy(url), &hosts.unwrap_or_default())
        }
        (None | Some(Value::Bool(false)), Some(_)) => {
            Err(Error::argument("option `no_proxy` goes with `proxy`")
                .hint("beside the variables, NO_PROXY lists hosts"))
        }
        (Some(_), _) => Err(Error::argument(
            "option `proxy`: expected a URL, or false for none",
        )),
    }
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
            max_body: None,
            retries: None,
            transport,
        }
    }

    /// Those of `http.get` and its siblings, for the VM that calls.
    pub fn shared(cx: &Cx) -> Result<Arc<Self>> {
        /// VMs come and go; those of which nothing was heard for longest lose their connections.
        const MOST: usize = 64;
        static SHARED: Mutex<Vec<(Cx, Arc<Settings>)>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = shared.iter().position(|(known, _)| known == cx) {
            // The last one is the one used last.
            shared[at..].rotate_left(1);
            return Ok(Arc::clone(&shared[shared.len() - 1].1));
        }
        let transport = Transport::new(
            cx.clone(),
            &Trust::default().config(None)?,
            Proxies::of_the_environment()?,
            None,
            None,
        );
        let made = Arc::new(Self::new(transport));
        if shared.len() == MOST {
            shared.remove(0);
        }
        shared.push((cx.clone(), Arc::clone(&made)));
        Ok(made)
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

/// How servers are reached, and the connections that there are.
pub(crate) struct Transport {
    pub http: legacy::Client<Connector, Outgoing>,
    proxies: Arc<Proxies>,
    unix_socket: Option<PathBuf>,
}

impl Transport {
    fn new(
        cx: Cx,
        tls: &rustls::ClientConfig,
        proxies: Proxies,
        unix_socket: Option<PathBuf>,
        pool: Option<u32>,
    ) -> Self {
        let proxies = Arc::new(proxies);
        let connector = Connector::new(cx, tls, Arc::clone(&proxies), unix_socket.clone());
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new());
        if let Some(idle) = pool {
            builder.pool_max_idle_per_host(idle as usize);
        }
        Self {
            http: builder.build(connector),
            proxies,
            unix_socket,
        }
    }

    /// Fails unless the script may connect to where the URL leads. What a name turns out to be is
    /// asked for when it is connected to.
    pub fn allow(&self, cx: &Cx, url: &Url) -> Result<()> {
        if let Some(path) = &self.unix_socket {
            return cx.require("net.connect", &format!("unix:{}", path.display()));
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        cx.require("net.connect", &format!("{host}:{port}"))?;
        match literal(url) {
            Some(address) => cx.require_address(host, address),
            None => Ok(()),
        }
    }

    /// What a proxy wants to see in the request itself: plain HTTP passes it without a tunnel.
    pub fn proxy_authorization(&self, target: &Uri) -> Result<Option<HeaderValue>> {
        if self.unix_socket.is_some() || target.scheme() != Some(&Scheme::HTTP) {
            return Ok(None);
        }
        let proxy = self.proxies.of(target)?;
        Ok(proxy
            .filter(|proxy| proxy.kind != Kind::Socks)
            .and_then(|proxy| proxy.basic))
    }
}

macro_rules! without_body {
    ($($name:ident = $method:ident;)*) => { $(
        fn $name(this: Ref<Client>, cx: Cx, url: &str, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            let call = this.settings().and_then(|settings| Call::read(&cx, settings, Method::$method, url, None, opts, 2));
            run(cx, call)
        }
    )* };
}

macro_rules! with_body {
    ($($name:ident = $method:ident;)*) => { $(
        fn $name(this: Ref<Client>, cx: Cx, url: &str, body: View<'_>, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            let call = this.settings().and_then(|settings| Call::read(&cx, settings, Method::$method, url, Some(body), opts, 3));
            run(cx, call)
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
        let call = this
            .settings()
            .and_then(|settings| Call::read_request(&cx, settings, opts));
        run(cx, call)
    }

    fn download(
        this: Ref<Client>,
        cx: Cx,
        url: &str,
        path: &str,
        opts: View<'_>,
    ) -> impl Future<Output = Result<u64>> + use<> {
        let download = this
            .settings()
            .and_then(|settings| Download::read(&cx, settings, url, path, opts));
        download::run(cx, download)
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
