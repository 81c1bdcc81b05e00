//! HTTP to one registry: TLS roots, proxies, retries, redirects.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{self, HeaderMap, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use url::Url;

use crate::error::{Error, ErrorKind, Result, network};
use crate::progress::{Event, Progress};
use crate::project::RegistrySettings;

/// A client for one registry.
pub(super) struct Http {
    agent: ureq::Agent,
    /// Scheme, host and port: the only place that `Authorization` is sent to.
    base: Url,
    host: String,
    progress: Arc<dyn Progress>,
}

/// A request; the body is at hand, so that it can be sent again.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub body: &'a [u8],
}

impl Request<'_> {
    pub(super) fn get(url: Url) -> Self {
        Request {
            method: "GET",
            url,
            headers: Vec::new(),
            body: &[],
        }
    }
}

impl Http {
    pub(super) fn new(
        host: &str,
        settings: &RegistrySettings,
        progress: Arc<dyn Progress>,
    ) -> Result<Self> {
        // A loopback registry with TLS is one whose certificates someone cared about.
        let has_tls = settings.ca.is_some() || settings.insecure;
        let plain = settings.plain_http || (is_loopback(host) && !has_tls);
        let scheme = if plain { "http" } else { "https" };
        let real_host = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let base = Url::parse(&format!("{scheme}://{real_host}/")).map_err(|error| {
            Error::new(
                ErrorKind::Usage,
                format!("`{host}` is not the name of a host"),
            )
            .with_source(error)
        })?;
        let config = ureq::Agent::config_builder()
            .user_agent(concat!("assay-registry/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(IDLE))
            .timeout_per_write(Some(IDLE))
            .timeout_recv_response(Some(ANSWER))
            .max_idle_connections_per_host(4);
        let config = if plain {
            config
        } else {
            config.tls_config(tls(host, settings)?)
        };
        Ok(Http {
            agent: config.build().new_agent(),
            base,
            host: host.to_owned(),
            progress,
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a request and follows redirects. Tries again where that can help;
    /// what comes back may still be any status.
    pub(super) fn send(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<http::Response<ureq::Body>> {
        let mut request = request.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_with_retries(&request, authorization)?;
            let is_redirect =
                response.status().is_redirection() && matches!(request.method, "GET" | "HEAD");
            let Some(location) = is_redirect
                .then(|| header(response.headers(), header::LOCATION))
                .flatten()
            else {
                return Ok(response);
            };
            let next = request.url.join(location).map_err(|error| {
                network(format!(
                    "{} redirects to an address that cannot be read",
                    self.host
                ))
                .with_source(error)
            })?;
            let to_plain = request.url.scheme() == "https" && next.scheme() != "https";
            if to_plain || !matches!(next.scheme(), "http" | "https") {
                return Err(network(format!(
                    "{} redirects to {}, away from TLS",
                    self.host,
                    shown(&next)
                )));
            }
            request.url = next;
        }
        Err(network(format!(
            "{} redirects more than {MAX_REDIRECTS} times",
            self.host
        )))
    }

    fn send_with_retries(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<http::Response<ureq::Body>> {
        for attempt in 1.. {
            let (reason, wait) = match self.send_once(request, authorization) {
                Ok(response) if BUSY.contains(&response.status()) && attempt < ATTEMPTS => (
                    response.status().to_string(),
                    retry_after(response.headers()),
                ),
                Err(error) if may_pass(&error) && attempt < ATTEMPTS => (error.to_string(), None),
                Err(error) => return Err(self.explain(error, &request.url)),
                Ok(response) => return Ok(response),
            };
            let wait = wait.unwrap_or_else(|| backoff(attempt));
            self.progress.event(&Event::Retrying {
                host: &self.host,
                reason: &reason,
                wait,
            });
            std::thread::sleep(wait);
        }
        unreachable!("the last attempt returns")
    }

    fn send_once(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(request.url.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let same_place = request.url.origin() == self.base.origin();
        if let Some(authorization) = authorization.filter(|_| same_place) {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        match request.method {
            "GET" | "HEAD" => self.agent.run(builder.body(())?),
            _ => self.agent.run(builder.body(request.body)?),
        }
    }

    /// Asks a token endpoint, which may be on another host. No redirects: this
    /// request carries the credential itself.
    pub(super) fn send_credential(
        &self,
        request: &Request<'_>,
        authorization: Option<&str>,
    ) -> Result<http::Response<ureq::Body>> {
        let same_place = request.url.origin() == self.base.origin();
        let host = request.url.host_str().unwrap_or_default();
        if request.url.scheme() != "https" && !same_place && !is_loopback(host) {
            return Err(network(format!(
                "{} sends its users to {} for a token, without TLS",
                self.host,
                shown(&request.url)
            )));
        }
        let mut request = request.clone();
        if let Some(authorization) = authorization {
            request
                .headers
                .push(("authorization", authorization.to_owned()));
        }
        self.send_with_retries(&request, None)
    }

    fn explain(&self, error: ureq::Error, url: &Url) -> Error {
        let hint = match &error {
            ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
                Some("check the address, and that the registry is running".to_owned())
            }
            ureq::Error::HostNotFound => Some("check the name of the registry, and DNS".to_owned()),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => Some(tls_hint(&self.host)),
            ureq::Error::Io(io) if io.to_string().contains("certificate") => {
                Some(tls_hint(&self.host))
            }
            ureq::Error::Protocol(_) if url.scheme() == "https" => Some(tls_hint(&self.host)),
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                Some("check HTTPS_PROXY and NO_PROXY".to_owned())
            }
            _ => None,
        };
        let wrapped = network(format!("{} cannot be reached", shown(url))).with_source(error);
        match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    }
}

/// A header's text, if it is text.
pub(super) fn header(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A URL without user information and query, which may hold secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.to_string()
}

/// `localhost` and loopback addresses, with or without a port.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<std::net::SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name
        }
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The time before the next attempt: doubling, and spread so that many jobs do
/// not come back at the same moment.
fn backoff(attempt: u32) -> Duration {
    let base = 250u64 << attempt.min(6);
    Duration::from_millis(base / 2 + fastrand::u64(0..base))
}

/// Seconds only; a date is as good as nothing for clocks that differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = header(headers, header::RETRY_AFTER)?.trim().parse().ok()?;
    Some(
        Duration::from_secs(seconds).min(LONGEST_WAIT)
            + Duration::from_millis(fastrand::u64(0..250)),
    )
}

/// Failures that another attempt may not see; a wrong address is none of them.
fn may_pass(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
                | std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::TimedOut
        ),
        _ => false,
    }
}

fn tls_hint(host: &str) -> String {
    format!(
        "if the registry has its own CA, name it: [registries.\"{host}\"] ca = \"ca.pem\" in assay.toml, or SSL_CERT_FILE; if it speaks plain HTTP: plain-http = true there"
    )
}

fn tls(host: &str, settings: &RegistrySettings) -> Result<TlsConfig> {
    let mut roots: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    if let Some(path) = &settings.ca {
        let more = read_pem(path)?;
        if more.is_empty() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} holds no certificate", path.display()),
            )
            .with_hint(format!("`ca` of [registries.\"{host}\"] names a PEM file")));
        }
        roots.extend(more);
    }
    for folder in ["/etc/containers/certs.d", "/etc/docker/certs.d"] {
        let entries = fs_err::read_dir(Path::new(folder).join(host))
            .into_iter()
            .flatten()
            .flatten();
        for path in entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "crt"))
        {
            roots.extend(read_pem(&path)?);
        }
    }
    if roots.is_empty() && !settings.insecure {
        return Err(
            Error::new(ErrorKind::Usage, "this system has no CA certificates")
                .with_hint("install the package ca-certificates, or set SSL_CERT_FILE"),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::from(roots))
        .disable_verification(settings.insecure)
        .build())
}

fn read_pem(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let pem = fs_err::read(path)?;
    let items = ureq::tls::parse_pem(&pem);
    let mut certificates = Vec::new();
    for item in items {
        let item = item.map_err(|error| {
            Error::new(
                ErrorKind::Usage,
                format!("{} is not a PEM file", path.display()),
            )
            .with_source(error)
        })?;
        if let PemItem::Certificate(certificate) = item {
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

const BUSY: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
const ATTEMPTS: u32 = 5;
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(120);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.8.9.1",
            "[::1]:5000",
            "::1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "ghcr.io",
            "localhost.evil.com:80",
            "10.0.0.1:5000",
            "127.0.0.1.evil.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn waits_grow_and_are_spread() {
        for attempt in 1..10 {
            let base = Duration::from_millis(250u64 << attempt.min(6));
            let wait = backoff(attempt);
            assert!(
                wait >= base / 2 && wait < base * 3 / 2,
                "{attempt}: {wait:?}"
            );
        }
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        let url = Url::parse("https://user:pass@r.io/blob?X-Signature=abc").unwrap();
        assert_eq!(shown(&url), "https://r.io/blob");
    }
}
