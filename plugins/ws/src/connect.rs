//! `ws.connect`: the way to an open connection, phase by phase.

use std::io;
use std::sync::{Arc, OnceLock};

use assay_plugin::tls::rustls::pki_types::ServerName;
use assay_plugin::{Cx, De, Error, Ref, Result, net};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::{Response, generate_request};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::http::header::{
    CONNECTION, LOCATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, Uri};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::connection::Connection;
use crate::failure::{self, of_tls, reason};
use crate::options::{Options, Target};

/// A response that is longer before its body is none.
const MAX_HEAD: usize = 64 << 10;
/// How much of a refusal's body an error shows.
const MAX_EXCERPT: usize = 500;

/// What a connection runs over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection that is open.
pub struct Opened {
    pub socket: WebSocketStream<Box<dyn Wire>>,
    pub subprotocol: Option<String>,
}

pub async fn connect(cx: Cx, url: String, opts: Option<De<Options>>) -> Result<Ref<Connection>> {
    let De(options) = opts.unwrap_or(De(Options::default()));
    let target = Target::new(&cx, &url, options)?;
    // Also where a proxy connects in our place.
    cx.require("net.connect", &format!("{}:{}", target.host, target.port))?;
    let context = cx.clone();
    let connection = cx
        .tokio(async move {
            let within = target.timeout;
            let opened = tokio::time::timeout(within, open(&context, &target)).await;
            let opened = opened.unwrap_or_else(|_| {
                let what = format!("not connected within {} s", within.as_secs_f64());
                Err(failure::error("timeout", what, &target.shown)
                    .hint("the option `timeout` is in seconds"))
            })?;
            Ok(Connection::new(opened, &target))
        })
        .await?;
    Ok(Ref::new(connection))
}

async fn open(cx: &Cx, target: &Target) -> Result<Opened> {
    let mut wire = match proxy(target) {
        Some(proxy) => through(cx, target, &proxy).await?,
        None => {
            let wire = dial(cx, &target.host, target.port).await;
            wire.map_err(|error| failure::located(error, &target.shown))?
        }
    };
    if target.secure {
        let inner = encrypt(target, &target.host, wire).await;
        wire = inner.map_err(|error| failure::located(error, &target.shown))?;
    }
    let (subprotocol, rest) = shake_hands(&mut wire, target).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(target.max_message))
        .max_frame_size(Some(target.max_message));
    Ok(Opened {
        socket: WebSocketStream::from_partially_read(wire, rest, Role::Client, Some(config)).await,
        subprotocol,
    })
}

/// Connects to the first address that answers.
async fn dial(cx: &Cx, host: &str, port: u16) -> Result<Box<dyn Wire>> {
    let mut failed = io::Error::other("there is no address");
    for address in net::resolve(cx, host, port).await? {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Messages are sent when they are sent.
                let _ = tcp.set_nodelay(true);
                return Ok(Box::new(tcp));
            }
            Err(error) => failed = error,
        }
    }
    Err(Error::new("connect", reason(&failed)))
}

/// TLS with the server, or with a proxy: whom the call trusts counts for both.
async fn encrypt(target: &Target, host: &str, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Error::new("tls", format!("{host} is no name of a server")))?;
    let connector = TlsConnector::from(Arc::clone(&target.tls));
    match connector.connect(name, wire).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(of_tls(&error)),
    }
}

/// The proxy for the target: the script's, or the one that the environment names.
fn proxy(target: &Target) -> Option<Intercept> {
    static MATCHER: OnceLock<Matcher> = OnceLock::new();
    // Proxies are named for http and https.
    let scheme = if target.secure { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{}:{}/", target.host, target.port)
        .parse()
        .ok()?;
    match &target.proxy {
        Some(proxy) => Matcher::builder()
            .all(proxy.as_str())
            .build()
            .intercept(&uri),
        None => MATCHER.get_or_init(Matcher::from_env).intercept(&uri),
    }
}

/// A tunnel: `CONNECT`.
async fn through(cx: &Cx, target: &Target, proxy: &Intercept) -> Result<Box<dyn Wire>> {
    let uri = proxy.uri();
    let (secure, default) = match uri.scheme_str() {
        Some("https") => (true, 443),
        _ => (false, 80),
    };
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(default);
    let failed = |what: String| {
        let error = failure::error("proxy", format!("{host}:{port}: {what}"), &target.shown);
        match target.proxy {
            Some(_) => error,
            None => error.hint(
                "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names it; NO_PROXY lists what is reached without",
            ),
        }
    };
    let named = |error: Error| match (error.kind(), error.hint_text()) {
        ("permission", _) => error,
        (kind, None) => failed(format!("{kind}: {}", error.message())),
        (kind, Some(hint)) => failed(format!("{kind}: {}", error.message())).hint(hint),
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        let scheme = uri.scheme_str().unwrap_or_default();
        return Err(failed(format!(
            "only proxies of http:// and https:// are supported, not {scheme}://"
        )));
    }
    cx.require("net.connect", &format!("{host}:{port}"))?;
    let mut wire = dial(cx, host, port).await.map_err(named)?;
    if secure {
        wire = encrypt(target, host, wire).await.map_err(named)?;
    }
    let to = format!("{}:{}", target.host, target.port);
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(credentials) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let (response, _) = exchange(&mut wire, &request).await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(
            failed(format!("answered {}", response.status())).status(response.status().as_u16())
        );
    }
    Ok(wire)
}

/// Upgrades the connection; what it holds behind the response is the first of the server's messages.
async fn shake_hands(
    wire: &mut Box<dyn Wire>,
    target: &Target,
) -> Result<(Option<String>, Vec<u8>)> {
    let failed = |what: String| failure::error("handshake", what, &target.shown);
    let (request, key) =
        generate_request(target.request.clone()).map_err(|error| failed(error.to_string()))?;
    let (response, rest) = exchange(wire, &request).await.map_err(failed)?;
    let status = response.status();
    if status.as_u16() != 101 {
        let excerpt = excerpt(wire, response.headers(), rest).await;
        let error =
            failed(format!("the server answered {status}{excerpt}")).status(status.as_u16());
        return Err(
            match response
                .headers()
                .get(LOCATION)
                .map(|to| String::from_utf8_lossy(to.as_bytes()))
            {
                Some(to) if status.is_redirection() => {
                    error.hint(format!("redirects are not followed; it leads to {to}"))
                }
                _ => error,
            },
        );
    }
    let text = |name: HeaderName| -> Option<&str> { response.headers().get(name)?.to_str().ok() };
    let has = |name: HeaderName, token: &str| {
        text(name).is_some_and(|text| {
            text.split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    if !has(UPGRADE, "websocket") || !has(CONNECTION, "upgrade") {
        return Err(failed(
            "the server answered 101, but not for a WebSocket".into(),
        ));
    }
    if text(SEC_WEBSOCKET_ACCEPT) != Some(&derive_accept_key(key.as_bytes())) {
        return Err(failed(
            "the server's `sec-websocket-accept` does not fit our key".into(),
        ));
    }
    if let Some(extensions) = text(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(failed(format!(
            "the server wants the extension {extensions}, which nobody asked for"
        )));
    }
    let subprotocol = text(SEC_WEBSOCKET_PROTOCOL).map(str::to_owned);
    match &subprotocol {
        Some(chosen) if !target.subprotocols.contains(chosen) => Err(failed(format!(
            "the server chose the subprotocol {chosen}, which was not offered"
        ))),
        _ => Ok((subprotocol, rest)),
    }
}

/// Sends a request, and reads a response up to its body; returned with what was read behind it.
async fn exchange<W: Wire + ?Sized>(
    wire: &mut W,
    request: &[u8],
) -> Result<(Response, Vec<u8>), String> {
    wire.write_all(request)
        .await
        .map_err(|error| reason(&error))?;
    wire.flush().await.map_err(|error| reason(&error))?;
    let mut read = Vec::with_capacity(1024);
    loop {
        match wire.read_buf(&mut read).await {
            Ok(0) => return Err("the connection was closed before the answer".into()),
            Ok(_) => {}
            Err(error) => return Err(reason(&error)),
        }
        match Response::try_parse(&read) {
            Ok(Some((size, response))) => return Ok((response, read.split_off(size))),
            Ok(None) if read.len() > MAX_HEAD => {
                return Err("the answer's headers do not end".into());
            }
            Ok(None) => {}
            Err(_) => return Err("the answer is not HTTP/1.1".into()),
        }
    }
}

/// What a refusal says, in one line.
async fn excerpt(wire: &mut Box<dyn Wire>, headers: &HeaderMap, mut body: Vec<u8>) -> String {
    let length = headers
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let wanted = length.unwrap_or(0).min(4 * MAX_EXCERPT);
    while body.len() < wanted {
        match wire.read_buf(&mut body).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let text = String::from_utf8_lossy(&body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_EXCERPT)
        .collect();
    if shown.len() < line.len() {
        shown += "...";
    }
    match shown.is_empty() {
        true => shown,
        false => format!(": {shown}"),
    }
}
