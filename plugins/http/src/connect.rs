//! From a URL to a connection: names, proxies, unix sockets, TLS.
//!
//! Pools belong to one VM each. What they connect to was allowed to its script, by name and by
//! address; a connection of another VM, whose script may reach less, is never taken.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use assay_plugin::tls::{explain, rustls};
use assay_plugin::{Cx, Error, Result, fragment, net};
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Uri};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::exchange::AGENT;
use crate::failure::deepest;
use crate::payload::Outgoing;
use crate::proxy::{Kind, Proxies, Proxy};

/// Makes connections, for a pool.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    cx: Cx,
    /// Offers HTTP/2.
    tls: Arc<rustls::ClientConfig>,
    /// Without, for proxies.
    proxy_tls: Arc<rustls::ClientConfig>,
    proxies: Arc<Proxies>,
    unix_socket: Option<PathBuf>,
}

impl Connector {
    pub fn new(
        cx: Cx,
        tls: &rustls::ClientConfig,
        proxies: Arc<Proxies>,
        unix_socket: Option<PathBuf>,
    ) -> Self {
        let speaking = |protocols: &[&[u8]]| {
            let mut tls = tls.clone();
            tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(tls)
        };
        Self(Arc::new(Inner {
            cx,
            tls: speaking(&[b"h2", b"http/1.1"]),
            proxy_tls: speaking(&[b"http/1.1"]),
            proxies,
            unix_socket,
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = Conn;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Conn>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        /// Calls have a timeout of their own; this one is for connections that no call waits for
        /// any more, since another one became free.
        const ABANDONED: Duration = Duration::from_secs(600);
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            timeout(ABANDONED, inner.connect(&target))
                .await
                .unwrap_or_else(|_| Err(Error::new("timeout", "connecting took too long")))
        })
    }
}

impl Inner {
    async fn connect(&self, target: &Uri) -> Result<Conn> {
        let https = target.scheme() == Some(&Scheme::HTTPS);
        let proxy = match self.unix_socket {
            Some(_) => None,
            None => self.proxies.of(target)?,
        };
        let mut whole_urls = false;
        let stream: Box<dyn Stream> = match (&self.unix_socket, &proxy) {
            (Some(path), _) => {
                let stream = UnixStream::connect(path).await.map_err(|error| {
                    let (path, reason) = (path.display(), fragment(&error.to_string()));
                    Error::new("connect", format!("{path}: {reason}"))
                })?;
                Box::new(stream)
            }
            (None, None) => Box::new(self.tcp(host(target), port(target)).await?),
            (None, Some(proxy)) => {
                whole_urls = !https && proxy.kind != Kind::Socks;
                self.through(proxy, target, https)
                    .await
                    .map_err(|error| proxy.failed(error))?
            }
        };
        if !https {
            return Ok(Conn {
                stream: TokioIo::new(stream),
                whole_urls,
                h2: false,
            });
        }
        let stream = shake(&self.tls, host(target), stream).await?;
        Ok(Conn {
            h2: stream.get_ref().1.alpn_protocol() == Some(b"h2"),
            stream: TokioIo::new(Box::new(stream)),
            whole_urls,
        })
    }

    /// A stream to the target, or for plain HTTP to a proxy that is told whole URLs.
    async fn through(&self, proxy: &Proxy, target: &Uri, https: bool) -> Result<Box<dyn Stream>> {
        let (name, port_number) = (host(&proxy.uri), proxy.port());
        self.cx
            .require("net.connect", &format!("{name}:{port_number}"))?;
        let stream = self.tcp(name, port_number).await?;
        if proxy.kind == Kind::Socks {
            return socks(proxy, stream, target).await;
        }
        let stream: Box<dyn Stream> = if proxy.kind == Kind::Https {
            let stream = shake(&self.proxy_tls, name, stream).await;
            Box::new(stream.map_err(|error| error.context("tls"))?)
        } else {
            Box::new(stream)
        };
        if https {
            return tunnel(proxy, stream, target).await;
        }
        Ok(stream)
    }

    /// Connects to one of the addresses of a name, each of which the script may connect to.
    async fn tcp(&self, host: &str, port: u16) -> Result<TcpStream> {
        let addresses = net::resolve(&self.cx, host, port).await?;
        // What is left to it are attempts in turn, IPv4 beside IPv6, which it does well.
        let mut tcp = HttpConnector::new_with_resolver(Resolved(addresses));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(15)));
        match tcp.call(uri(&format!("{host}:{port}"))?).await {
            Ok(stream) => Ok(stream.into_inner()),
            Err(error) => Err(Error::new("connect", deepest(&error))),
        }
    }
}

/// The host of a URL, an IPv6 address in its brackets.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default()
}

fn port(uri: &Uri) -> u16 {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    uri.port_u16().unwrap_or(default)
}

fn uri(authority: &str) -> Result<Uri> {
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query("/")
        .build()
        .map_err(|error| Error::new("connect", error.to_string()))
}

async fn shake<S: Stream>(
    tls: &Arc<rustls::ClientConfig>,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| Error::new("tls", format!("`{host}` cannot be the name of a server")))?;
    let connector = TlsConnector::from(Arc::clone(tls));
    connector.connect(name, stream).await.map_err(|error| {
        let inner = error.get_ref().and_then(|error| error.downcast_ref());
        match inner {
            Some(inner) => failed_tls(inner),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                Error::new("tls", "the connection was closed during the handshake")
            }
            None => Error::new("tls", fragment(&error.to_string())),
        }
    })
}

/// What rustls refused, or was refused.
pub fn failed_tls(error: &rustls::Error) -> Error {
    let (reason, hint) = explain(error, "`ca_cert` to http.client");
    let error = Error::new("tls", reason);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Asks a proxy to pass bytes on to the target.
async fn tunnel(proxy: &Proxy, stream: Box<dyn Stream>, target: &Uri) -> Result<Box<dyn Stream>> {
    let broken = |error: hyper::Error| Error::new("connect", deepest(&error));
    let authority = format!("{}:{}", host(target), port(target));
    let mut request = Request::connect(&authority)
        .header(HOST, &authority)
        .header(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(basic) = &proxy.basic {
        request = request.header(PROXY_AUTHORIZATION, basic);
    }
    let request = request
        .body(Outgoing::default())
        .map_err(|error| Error::new("connect", error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    if !status.is_success() {
        let error = Error::new("connect", format!("{status} for {authority}"));
        return Err(match status.as_u16() {
            407 => error
                .hint("the proxy's URL holds user and password: http://user:password@host:port"),
            _ => error,
        });
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

async fn socks(proxy: &Proxy, stream: TcpStream, target: &Uri) -> Result<Box<dyn Stream>> {
    let mut socks = SocksV5::new(proxy.uri.clone(), Made(Some(stream)));
    if let Some((user, password)) = &proxy.socks {
        socks = socks.with_auth(user.clone(), password.clone());
    }
    // Without a port it takes 443, whatever the scheme.
    let target = uri(&format!("{}:{}", host(target), port(target)))?;
    match socks.call(target).await {
        Ok(stream) => Ok(Box::new(stream.into_inner())),
        Err(error) => Err(Error::new("connect", deepest(&error))),
    }
}

/// Addresses that were looked up already.
#[derive(Clone)]
struct Resolved(Vec<std::net::SocketAddr>);

impl Service<Name> for Resolved {
    type Response = std::vec::IntoIter<std::net::SocketAddr>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        std::future::ready(Ok(self.0.clone().into_iter()))
    }
}

/// A connection that is there already.
struct Made(Option<TcpStream>);

impl Service<Uri> for Made {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().ok_or(io::ErrorKind::NotConnected.into());
        std::future::ready(stream.map(TokioIo::new))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// A connection of any kind, as the pool takes it.
pub struct Conn {
    stream: TokioIo<Box<dyn Stream>>,
    /// Requests say the whole URL, for a proxy that passes them on.
    whole_urls: bool,
    h2: bool,
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.whole_urls);
        if self.h2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl Read for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
