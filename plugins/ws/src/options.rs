//! What `ws.connect` takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_plugin::tls::rustls::ClientConfig;
use assay_plugin::tls::{Identity, Pem, Trust};
use assay_plugin::{Cx, Error, Result, Value};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use tokio_tungstenite::tungstenite::http::{Request, Uri};

/// The options, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    headers: BTreeMap<String, Value>,
    subprotocols: Vec<String>,
    insecure: bool,
    ca_cert: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
    proxy: Option<String>,
    timeout: f64,
    max_message: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            headers: BTreeMap::new(),
            subprotocols: Vec::new(),
            insecure: false,
            ca_cert: None,
            client_cert: None,
            client_key: None,
            proxy: None,
            timeout: 30.0,
            max_message: 64 << 20,
        }
    }
}

/// A connection that can be made.
pub struct Target {
    pub host: String,
    pub port: u16,
    /// `wss://`
    pub secure: bool,
    /// For the server, and for a proxy.
    pub tls: Arc<ClientConfig>,
    pub request: Request<()>,
    pub subprotocols: Vec<String>,
    /// Instead of what the environment names.
    pub proxy: Option<String>,
    pub timeout: Duration,
    pub max_message: usize,
    /// Without what may be secret.
    pub shown: String,
}

impl Target {
    pub fn new(cx: &Cx, url: &str, options: Options) -> Result<Self> {
        let uri = parse(url)?;
        let shown = shown(&uri);
        let secure = uri.scheme_str() == Some("wss");
        let host = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let timeout = seconds("timeout", options.timeout)?;
        let tls = tls(cx, &options)?;
        let headers = headers(&uri, &options)?;
        if let Some(proxy) = &options.proxy {
            let parsed: Option<Uri> = proxy.parse().ok();
            let scheme = parsed.as_ref().and_then(Uri::scheme_str);
            if !matches!(scheme, Some("http" | "https")) {
                return Err(Error::argument(
                    "option `proxy`: expected http://host:port or https://host:port",
                ));
            }
        }
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let limit = cx.limit("response").unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self {
            host,
            port,
            secure,
            tls: Arc::new(tls),
            request,
            subprotocols: options.subprotocols,
            proxy: options.proxy,
            timeout,
            max_message: options.max_message.min(limit),
            shown,
        })
    }
}

/// A time that is one.
pub fn seconds(what: &str, value: f64) -> Result<Duration> {
    const YEAR: f64 = 31_536_000.0;
    if value > 0.0 && value <= YEAR {
        return Ok(Duration::from_secs_f64(value));
    }
    Err(Error::argument(format!(
        "option `{what}`: expected seconds above 0 and up to {YEAR}, got {value}"
    )))
}

fn parse(url: &str) -> Result<Uri> {
    // What does not parse may still hold a password.
    let (visible, _) = url.split_once('?').unwrap_or((url, ""));
    let visible = if visible.contains('@') {
        "..."
    } else {
        visible
    };
    let wrong =
        |why: &str| Error::argument(format!("argument 1: {why} ({})", visible.escape_debug()));
    // A fragment is not sent.
    let (url, _) = url.split_once('#').unwrap_or((url, ""));
    let uri: Uri = url
        .parse()
        .map_err(|error| wrong(&format!("not a URL: {error}")))?;
    match uri.scheme_str() {
        Some("ws" | "wss") => {}
        Some(scheme) => {
            let error = wrong(&format!("expected a URL of ws or wss, got `{scheme}:`"));
            return Err(match scheme {
                "http" => error.hint("ws:// is the WebSocket of http://"),
                "https" => error.hint("wss:// is the WebSocket of https://"),
                _ => error,
            });
        }
        None => return Err(wrong("expected a URL with ws:// or wss://")),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("the URL has no host"));
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(wrong("the URL holds a user or a password").hint(
            "headers = { authorization = \"Basic \" .. base64.encode(user .. \":\" .. password) }",
        ));
    }
    Ok(uri)
}

/// Without the query, which may hold a token.
fn shown(uri: &Uri) -> String {
    let query = if uri.query().is_some() { "?..." } else { "" };
    format!(
        "{}://{}{}{query}",
        uri.scheme_str().unwrap_or_default(),
        uri.authority().map_or("", |authority| authority.as_str()),
        uri.path()
    )
}

fn tls(cx: &Cx, options: &Options) -> Result<ClientConfig> {
    let extra = match &options.ca_cert {
        Some(ca) => Pem::read(cx, "ca_cert", ca)?.roots()?,
        None => Vec::new(),
    };
    let identity = match (&options.client_cert, &options.client_key) {
        (None, None) => None,
        (None, Some(_)) => {
            return Err(Error::argument("option `client_cert` is missing")
                .hint("`client_key` is the key of a certificate"));
        }
        (Some(certificate), key) => {
            let certificate = Pem::read(cx, "client_cert", certificate)?;
            Some(match key {
                Some(key) => Identity::new(&certificate, &Pem::read(cx, "client_key", key)?)?,
                // Both may be in one file.
                None => Identity::new(&certificate, &certificate)?,
            })
        }
    };
    let mut config = Trust {
        extra,
        insecure: options.insecure,
        ..Trust::default()
    }
    .config(identity.as_ref())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn headers(uri: &Uri, options: &Options) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let host = uri.authority().map_or("", |authority| authority.as_str());
    headers.insert(
        HOST,
        HeaderValue::from_str(host).map_err(|_| Error::argument("argument 1: not a host"))?,
    );
    for (name, value) in &options.headers {
        let wrong = |what: String| {
            Error::argument(format!(
                "option `headers`: `{}`: {what}",
                name.escape_debug()
            ))
        };
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("not a header's name".into()))?;
        if [CONNECTION, UPGRADE].contains(&header) || header.as_str().starts_with("sec-websocket-")
        {
            let error = wrong("follows from the protocol and cannot be set".into());
            return Err(match header == SEC_WEBSOCKET_PROTOCOL {
                true => error.hint("the option `subprotocols` sets it"),
                false => error,
            });
        }
        let values = match value {
            Value::List(items) => items.iter().collect(),
            value => vec![value],
        };
        headers.remove(&header);
        for value in values {
            let value = match value {
                Value::Bytes(bytes) => HeaderValue::from_bytes(bytes).map_err(|_| {
                    wrong("the value holds a line break or another control character".into())
                })?,
                Value::Int(int) => HeaderValue::from(*int),
                _ => return Err(wrong("expected a string or a list of strings".into())),
            };
            headers.append(header.clone(), value);
        }
    }
    if headers.get_all(HOST).iter().count() != 1 {
        return Err(Error::argument(
            "option `headers`: `host`: expected one value",
        ));
    }
    // Who offers nothing must not send the header.
    if !options.subprotocols.is_empty() {
        let offered = options.subprotocols.join(", ");
        let valid = |name: &String| HeaderName::from_bytes(name.as_bytes()).is_ok();
        if let Some(wrong) = options.subprotocols.iter().find(|name| !valid(name)) {
            return Err(Error::argument(format!(
                "option `subprotocols`: \"{}\" is no subprotocol's name",
                wrong.escape_debug()
            )));
        }
        let offered =
            HeaderValue::from_str(&offered).map_err(|error| Error::argument(error.to_string()))?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::from_str(&generate_key())
        .map_err(|error| Error::new("internal", error.to_string()))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    Ok(headers)
}

/// What we call ourselves.
const AGENT: &str = concat!("assay/", env!("CARGO_PKG_VERSION"));
