//! `http.get` and its siblings: what a call says, checked.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use assay_plugin::{Cx, Error, Kind, Record, Result, Value, View, from_view};
use base64::Engine;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::client::Settings;
use crate::exchange::Exchange;
use crate::response::{self, Response};
use crate::{headers, json, query};

macro_rules! without_body {
    ($($(#[$attr:meta])* $name:ident = $method:ident;)*) => { $(
        $(#[$attr])*
        pub fn $name(cx: Cx, url: &str, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            let call = Settings::shared().and_then(|settings| Call::read(settings, Method::$method, url, None, opts, 2));
            run(cx, call)
        }
    )* };
}
without_body! {
    /// `http.get(url, opts?)`
    get = GET;
    /// `http.head(url, opts?)`
    head = HEAD;
    /// `http.options(url, opts?)`
    options = OPTIONS;
    /// `http.delete(url, opts?)`
    delete = DELETE;
}

macro_rules! with_body {
    ($($(#[$attr:meta])* $name:ident = $method:ident;)*) => { $(
        $(#[$attr])*
        pub fn $name(cx: Cx, url: &str, body: View<'_>, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            let call = Settings::shared().and_then(|settings| Call::read(settings, Method::$method, url, Some(body), opts, 3));
            run(cx, call)
        }
    )* };
}
with_body! {
    /// `http.post(url, body?, opts?)`
    post = POST;
    /// `http.put(url, body?, opts?)`
    put = PUT;
    /// `http.patch(url, body?, opts?)`
    patch = PATCH;
}

/// `http.request{method=, url=, ...}`
pub fn request(cx: Cx, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
    run(
        cx,
        Settings::shared().and_then(|settings| Call::read_request(settings, opts)),
    )
}

/// Sends what was read, if it was.
pub(crate) async fn run(cx: Cx, call: Result<Call>) -> Result<Record<Response>> {
    let Call(exchange) = call?;
    let (max_body, timeout) = (exchange.max_body, exchange.timeout);
    let context = cx.clone();
    let answer = cx.tokio(exchange.run(context)).await?;
    Ok(response::record(answer, max_body, timeout))
}

/// A call that can be sent.
pub(crate) struct Call(Exchange);

/// The options of a call, as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Options {
    method: Option<String>,
    url: Option<String>,
    headers: Seen,
    query: Seen,
    body: Seen,
    form: Seen,
    auth: Option<Auth>,
    timeout: Option<f64>,
    connect_timeout: Option<f64>,
    follow_redirects: Option<bool>,
    max_redirects: Option<u32>,
    max_body: Option<u64>,
    stream: bool,
}

/// The names that only `http.request` takes.
const REQUEST_ONLY: [&str; 2] = ["method", "url"];

/// Who calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Auth {
    #[serde(default)]
    basic: Option<Value>,
    #[serde(default)]
    bearer: Option<String>,
}

impl Auth {
    /// The `authorization` header.
    pub(crate) fn header(&self) -> Result<HeaderValue> {
        let text = match (&self.basic, &self.bearer) {
            (Some(basic), None) => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(credentials(basic)?);
                format!("Basic {encoded}")
            }
            (None, Some(token)) => format!("Bearer {token}"),
            _ => {
                return Err(Error::argument(
                    "option `auth`: expected either `basic` or `bearer`",
                ));
            }
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            Error::argument(
                "option `auth.bearer`: the token holds a line break or another control character",
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// `user:password` from `{user, password}` or `{user=, pass=}`.
fn credentials(basic: &Value) -> Result<Vec<u8>> {
    let given = match basic {
        Value::List(items) => items.iter().collect(),
        Value::Map(pairs) if pairs.len() == 2 => [basic.get("user"), basic.get("pass")]
            .into_iter()
            .flatten()
            .collect(),
        _ => Vec::new(),
    };
    match given[..] {
        [Value::Bytes(user), Value::Bytes(pass)] if !user.contains(&b':') => {
            Ok([user, &b":"[..], pass].concat())
        }
        [Value::Bytes(_), Value::Bytes(_)] => Err(Error::argument(
            "option `auth.basic`: a user's name cannot hold a colon",
        )),
        _ => Err(Error::argument(
            "option `auth.basic`: expected {user, password} or {user=, pass=} of strings",
        )),
    }
}

impl Call {
    /// Reads a call whose options are the argument at `position`.
    pub(crate) fn read(
        settings: Arc<Settings>,
        method: Method,
        url: &str,
        body: Option<View<'_>>,
        opts: View<'_>,
        position: usize,
    ) -> Result<Self> {
        let read = if opts.is_nil() {
            Ok(Options::default())
        } else {
            from_view::<Options>(opts)
        };
        let read = read.map_err(|error| error.context(format_args!("argument {position}")))?;
        for name in REQUEST_ONLY {
            if opts.get(name).is_some() {
                return Err(Error::argument(format!("unknown option `{name}`"))
                    .hint(format!("`{name}` is an option of `request`")));
            }
        }
        Self::check(
            settings,
            method,
            url,
            body.filter(|body| !body.is_nil()),
            opts,
            read,
        )
    }

    /// Reads a call that is all options.
    pub(crate) fn read_request(settings: Arc<Settings>, opts: View<'_>) -> Result<Self> {
        let read = from_view::<Options>(opts).map_err(|error| error.context("argument 1"))?;
        let missing = |name: &str| Error::argument(format!("option `{name}` is missing"));
        let method = read.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| {
            Error::argument(format!(
                "option `method`: \"{}\" is not a method",
                method.escape_debug()
            ))
        })?;
        let url = read.url.clone().ok_or_else(|| missing("url"))?;
        Self::check(settings, method, &url, None, opts, read)
    }

    fn check(
        settings: Arc<Settings>,
        method: Method,
        url: &str,
        body: Option<View<'_>>,
        opts: View<'_>,
        read: Options,
    ) -> Result<Self> {
        let mut url = settings.resolve(url)?;
        if let Some(table) = opts.get("query") {
            add_query(&mut url, &query::encode(table, "query")?);
        }
        let mut all = settings.headers.clone();
        if let Some(auth) = &read.auth {
            all.insert(AUTHORIZATION, auth.header()?);
        }
        if let Some(table) = opts.get("headers") {
            headers::replace(&mut all, request_headers(table)?);
        }
        let body = one_body(body, opts, all.contains_key(CONTENT_TYPE))?;
        let timeout = read
            .timeout
            .map_or(Ok(settings.timeout), |value| seconds("timeout", value))?;
        let connect_timeout = read
            .connect_timeout
            .map_or(Ok(settings.connect_timeout), |value| {
                seconds("connect_timeout", value)
            })?;
        Ok(Self(Exchange {
            http: settings.transport.http(connect_timeout)?,
            method,
            url,
            headers: all,
            body,
            timeout,
            max_redirects: read.max_redirects.unwrap_or(settings.max_redirects),
            follow_redirects: read.follow_redirects.unwrap_or(settings.follow_redirects),
            max_body: read.max_body.unwrap_or(settings.max_body),
            stream: read.stream,
        }))
    }
}

fn one_body(
    argument: Option<View<'_>>,
    opts: View<'_>,
    has_type: bool,
) -> Result<Option<(Bytes, Option<HeaderValue>)>> {
    let given = [
        ("the body argument", argument),
        ("`body`", opts.get("body")),
        ("`form`", opts.get("form")),
    ];
    let mut given = given
        .into_iter()
        .filter_map(|(name, view)| view.map(|view| (name, view)));
    let Some((name, view)) = given.next() else {
        return Ok(None);
    };
    if let Some((other, _)) = given.next() {
        return Err(Error::argument(format!(
            "there are two bodies: {name} and {other}"
        )));
    }
    let (bytes, content_type) = if name == "`form`" {
        (
            query::encode(view, "form")?.into_bytes(),
            Some("application/x-www-form-urlencoded"),
        )
    } else {
        match view.kind()? {
            Kind::Str(bytes) => (bytes.to_vec(), None),
            Kind::Buf(buf) => (buf.to_vec(), None),
            Kind::List(_) | Kind::Map(_) => {
                let text = json::encode(view).map_err(|error| error.context("body"))?;
                (text, Some("application/json"))
            }
            _ => {
                let got = view.type_name();
                return Err(Error::argument(format!(
                    "body: expected a string, or a table to send as JSON, got {got}"
                )));
            }
        }
    };
    let content_type = content_type
        .filter(|_| !has_type)
        .map(HeaderValue::from_static);
    Ok(Some((bytes.into(), content_type)))
}

/// Headers of a request. Those that frame its body are the client's own.
pub(crate) fn request_headers(table: View<'_>) -> Result<HeaderMap> {
    let headers = headers::from_table(table)?;
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        if headers.contains_key(&name) {
            return Err(Error::argument(format!(
                "header `{name}`: follows from the body and cannot be set"
            )));
        }
    }
    if headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
        return Err(Error::argument(
            "header `content-type`: given more than once",
        ));
    }
    Ok(headers)
}

/// A URL that can be requested.
pub(crate) fn parse_url(text: &str) -> Result<Url> {
    let shown = || match Url::parse(text) {
        Ok(url) => crate::failure::redacted(&url),
        // What does not parse may still hold a password.
        Err(_) if text.contains('@') => "...".into(),
        Err(_) => text
            .split('?')
            .next()
            .unwrap_or_default()
            .escape_debug()
            .to_string(),
    };
    let url = Url::parse(text).map_err(|error| {
        let error = Error::argument(format!("not a URL: {error} ({})", shown()));
        if text.starts_with('/') {
            error.hint("a path alone needs a client with a `base_url`")
        } else {
            error
        }
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(Error::argument(format!(
            "expected a URL of http or https, got `{scheme}:` ({})",
            shown()
        ))),
    }
}

fn add_query(url: &mut Url, more: &str) {
    if more.is_empty() {
        return;
    }
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{more}"),
        _ => more.to_owned(),
    };
    url.set_query(Some(&query));
}

/// A time that is one.
pub(crate) fn seconds(option: &str, value: f64) -> Result<Duration> {
    const YEAR: f64 = 31_536_000.0;
    if value > 0.0 && value <= YEAR {
        return Ok(Duration::from_secs_f64(value));
    }
    Err(Error::argument(format!(
        "option `{option}`: expected seconds above 0 and up to {YEAR}, got {value}"
    )))
}

/// An option that is read from the table itself, where a string need not be UTF-8 and nothing is copied.
#[derive(Default)]
pub(crate) struct Seen;

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Seen;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a table")
            }
            fn visit_unit<E>(self) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<Seen, E> {
                Ok(Seen)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Seen, A::Error> {
                Ok(Seen)
            }
            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Seen, A::Error> {
                Ok(Seen)
            }
        }
        deserializer.deserialize_any(Anything)
    }
}
