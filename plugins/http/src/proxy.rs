//! Which proxy a request goes through: what the script says, or the usual variables.

use assay_plugin::{Error, Result, fragment};
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Scheme;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The proxies of a client.
pub struct Proxies {
    matcher: Matcher,
    /// The variables that say so, for http and for https.
    variables: [Option<&'static str>; 2],
}

/// The proxy for a URL.
pub struct Proxy {
    pub uri: Uri,
    pub kind: Kind,
    /// `proxy-authorization`
    pub basic: Option<HeaderValue>,
    /// User and password.
    pub socks: Option<(String, String)>,
    variable: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Http,
    Https,
    Socks,
}

impl Proxies {
    /// None at all.
    pub fn none() -> Self {
        Self {
            matcher: Matcher::builder().build(),
            variables: [None; 2],
        }
    }

    /// One for everything but the hosts in `no_proxy`.
    pub fn one(url: &str, no_proxy: &str) -> Result<Self> {
        let url =
            checked(url).map_err(|what| Error::argument(format!("option `proxy`: {what}")))?;
        Ok(Self {
            matcher: Matcher::builder().all(url).no(no_proxy).build(),
            variables: [None; 2],
        })
    }

    /// Those of `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, unless `NO_PROXY` lists the host. Also
    /// in small letters, as curl has them.
    pub fn of_the_environment() -> Result<Self> {
        let get = |names: &[&'static str]| {
            let mut set = names.iter().filter_map(|name| {
                let value = std::env::var(name).ok().filter(|value| !value.is_empty());
                value.map(|value| (*name, value))
            });
            set.next()
        };
        let http: &[&str] = match std::env::var_os("REQUEST_METHOD") {
            // A CGI script: what the client sends as `Proxy:` arrives as HTTP_PROXY.
            Some(_) => &["http_proxy", "ALL_PROXY", "all_proxy"],
            None => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
        };
        let (http, https) = (
            get(http),
            get(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        );
        let url = |found: &Option<(&str, String)>| match found {
            Some((name, value)) => {
                checked(value).map_err(|what| Error::new("proxy", format!("{name}: {what}")))
            }
            None => Ok(String::new()),
        };
        let no_proxy = get(&["NO_PROXY", "no_proxy"]).map(|(_, value)| value);
        Ok(Self {
            matcher: Matcher::builder()
                .http(url(&http)?)
                .https(url(&https)?)
                .no(no_proxy.unwrap_or_default())
                .build(),
            variables: [http, https].map(|found| found.map(|(name, _)| name)),
        })
    }

    /// The proxy for a URL.
    pub fn of(&self, target: &Uri) -> Result<Option<Proxy>> {
        let Some(found) = self.matcher.intercept(target) else {
            return Ok(None);
        };
        let uri = found.uri().clone();
        let kind = match uri.scheme_str() {
            Some("http") => Kind::Http,
            Some("https") => Kind::Https,
            _ => Kind::Socks,
        };
        Ok(Some(Proxy {
            uri,
            kind,
            basic: found.basic_auth().cloned(),
            socks: found
                .raw_auth()
                .map(|(user, password)| (user.to_owned(), password.to_owned())),
            variable: self.variables[usize::from(target.scheme() == Some(&Scheme::HTTPS))],
        }))
    }
}

impl Proxy {
    pub fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(match self.kind {
            Kind::Http => 80,
            Kind::Https => 443,
            Kind::Socks => 1080,
        })
    }

    /// The error of a connection that was to go through it.
    pub fn failed(&self, error: Error) -> Error {
        if error.kind() == "permission" {
            return error;
        }
        let uri = self.uri.to_string();
        let shown = uri.trim_end_matches('/');
        let failed = Error::new("proxy", format!("{shown}: {}", error.message()));
        match (error.hint_text(), self.variable) {
            (Some(hint), _) => failed.hint(hint),
            (None, Some(name)) => failed.hint(format!(
                "{name} is set: unless NO_PROXY lists the host, requests go through that proxy"
            )),
            (None, None) => failed,
        }
    }
}

/// The URL of a proxy, with a scheme. Its password is in no message.
fn checked(text: &str) -> Result<String, String> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&whole)
        .map_err(|error| format!("not a URL: {}", fragment(&error.to_string())))?;
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
        return Err(format!(
            "expected a URL of http, https or socks5, got `{}:`",
            url.scheme()
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the URL has no host".into());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err("expected a URL without path and query".into());
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(proxies: &Proxies, target: &'static str) -> Option<Proxy> {
        proxies.of(&Uri::from_static(target)).unwrap()
    }

    #[test]
    fn all_but_the_listed() {
        let proxies =
            Proxies::one("proxy:3128", "internal, .corp.example,10.0.0.0/8, ::1").unwrap();
        let proxy = of(&proxies, "https://example.com/").unwrap();
        assert_eq!((proxy.uri.host(), proxy.port()), (Some("proxy"), 3128));
        assert!(of(&proxies, "http://example.com/").is_some());
        for direct in [
            "http://internal/",
            "https://a.internal/",
            "http://a.corp.example/",
            "http://10.1.2.3:80/",
            "http://[::1]/",
        ] {
            assert!(of(&proxies, direct).is_none(), "{direct}");
        }
        assert!(of(&Proxies::none(), "http://example.com/").is_none());
        assert!(of(&Proxies::one("proxy", "*").unwrap(), "http://x/").is_none());
    }

    #[test]
    fn kinds_ports_and_credentials() {
        let of_one = |url| of(&Proxies::one(url, "").unwrap(), "http://example.com/").unwrap();
        let proxy = of_one("http://us%40er:p%3Ass@proxy");
        assert_eq!(proxy.basic.unwrap(), "Basic dXNAZXI6cDpzcw==");
        assert_eq!(of_one("https://proxy").port(), 443);
        let proxy = of_one("socks5://us%40er:pass@proxy");
        assert!(proxy.kind == Kind::Socks && proxy.port() == 1080);
        assert_eq!(proxy.socks, Some(("us@er".into(), "pass".into())));
        assert_eq!(of_one("http://[::1]:3128").uri.host(), Some("[::1]"));
    }

    #[test]
    fn what_is_no_proxy_keeps_its_secrets() {
        for (url, what) in [
            (
                "ftp://user:secret@proxy",
                "expected a URL of http, https or socks5, got `ftp:`",
            ),
            (
                "http://user:secret@proxy:port",
                "not a URL: invalid port number",
            ),
            ("http://user:secret@", "not a URL: empty host"),
            (
                "http://user:secret@proxy/path",
                "expected a URL without path and query",
            ),
        ] {
            let error = Proxies::one(url, "").err().unwrap();
            assert_eq!(error.message(), format!("option `proxy`: {what}"));
        }
    }

    #[test]
    fn failures_name_the_proxy_without_its_password() {
        let proxies = Proxies::one("http://user:secret@proxy:3128", "").unwrap();
        let proxy = of(&proxies, "https://example.com/").unwrap();
        let error = proxy.failed(Error::new("connect", "connection refused"));
        assert_eq!(error.kind(), "proxy");
        assert_eq!(error.message(), "http://proxy:3128: connection refused");
        let denied = proxy.failed(Error::new("permission", "not allowed: net proxy:3128"));
        assert_eq!(denied.kind(), "permission");
    }
}
