//! `http.get` and its siblings: what a call says, checked.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use assay_plugin::{Cx, Error, Func, Kind, Record, Result, Value, View, from_view};
use base64::Engine;
use hyper::Method;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use url::Url;

use crate::client::Settings;
use crate::exchange::{Exchange, Hop};
use crate::failure::Max;
use crate::payload::Payload;
use crate::response::{self, Response};
use crate::retry::{self, Retries};
use crate::{events, headers, json, multipart, query};

macro_rules! without_body {
    ($($(#[$attr:meta])* $name:ident = $method:ident;)*) => { $(
        $(#[$attr])*
        pub fn $name(cx: Cx, url: &str, opts: View<'_>) -> impl Future<Output = Result<Record<Response>>> + use<> {
            let call = Settings::shared(&cx).and_then(|settings| Call::read(&cx, settings, Method::$method, url, None, opts, 2));
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
            let call = Settings::shared(&cx).and_then(|settings| Call::read(&cx, settings, Method::$method, url, Some(body), opts, 3));
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
    let call = Settings::shared(&cx).and_then(|settings| Call::read_request(&cx, settings, opts));
    run(cx, call)
}

/// Sends what was read, if it was.
pub(crate) async fn run(cx: Cx, call: Result<Call>) -> Result<Record<Response>> {
    let Call { exchange, on_event } = call?;
    let timeout = exchange.timeout;
    let context = cx.clone();
    let answer = cx
        .tokio(async move { exchange.run(&context).await })
        .await?;
    let answer = match on_event {
        Some(on_event) => events::run(&cx, answer, &on_event, timeout).await?,
        None => answer,
    };
    Ok(response::record(answer, timeout))
}

/// Bytes of a body that is kept in memory, unless the script says otherwise.
const MAX_BODY: u64 = 100 << 20;

/// A call that can be sent.
pub(crate) struct Call {
    pub exchange: Exchange,
    on_event: Option<OnEvent>,
}

/// Whom to tell of server-sent events, and how large one may be.
pub(crate) struct OnEvent {
    pub function: Func,
    pub max: u64,
}

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
    multipart: Seen,
    auth: Option<Auth>,
    timeout: Option<f64>,
    connect_timeout: Option<f64>,
    follow_redirects: Option<bool>,
    max_redirects: Option<u32>,
    max_body: Option<u64>,
    retries: Option<retry::Options>,
    stream: bool,
    on_event: Option<Func>,
    sha256: Option<String>,
    max_size: Option<u64>,
}

/// The options that only `request` takes.
const OF_REQUEST: [&str; 2] = ["method", "url"];
/// The options that only `download` takes.
const OF_DOWNLOAD: [&str; 2] = ["sha256", "max_size"];
/// The options that `download` does not take.
const NOT_OF_DOWNLOAD: [&str; 6] = [
    "body",
    "form",
    "multipart",
    "max_body",
    "stream",
    "on_event",
];

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
            (Some(given), None) => {
                let value = basic(&credentials(given)?);
                return value.ok_or_else(|| Error::new("internal", "base64 is a header's value"));
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

impl Options {
    fn read(opts: View<'_>, position: usize) -> Result<Self> {
        if opts.is_nil() {
            return Ok(Self::default());
        }
        from_view(opts).map_err(|error| error.context(format_args!("argument {position}")))
    }
}

fn refuse(opts: View<'_>, names: &[&str], why: &str) -> Result<()> {
    match names.iter().find(|name| opts.get(name).is_some()) {
        Some(name) => {
            Err(Error::argument(format!("unknown option `{name}`")).hint(format!("`{name}` {why}")))
        }
        None => Ok(()),
    }
}

impl Call {
    /// Reads a call whose options are the argument at `position`.
    pub(crate) fn read(
        cx: &Cx,
        settings: Arc<Settings>,
        method: Method,
        url: &str,
        body: Option<View<'_>>,
        opts: View<'_>,
        position: usize,
    ) -> Result<Self> {
        let read = Options::read(opts, position)?;
        refuse(opts, &OF_REQUEST, "is an option of `request`")?;
        refuse(opts, &OF_DOWNLOAD, "is an option of `download`")?;
        Self::check(
            cx,
            settings,
            method,
            url,
            body.filter(|body| !body.is_nil()),
            opts,
            read,
        )
    }

    /// Reads a call that is all options.
    pub(crate) fn read_request(cx: &Cx, settings: Arc<Settings>, opts: View<'_>) -> Result<Self> {
        let read = from_view::<Options>(opts).map_err(|error| error.context("argument 1"))?;
        refuse(opts, &OF_DOWNLOAD, "is an option of `download`")?;
        let missing = |name: &str| Error::argument(format!("option `{name}` is missing"));
        let method = read.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| {
            Error::argument(format!(
                "option `method`: \"{}\" is not a method",
                method.escape_debug()
            ))
        })?;
        let url = read.url.clone().ok_or_else(|| missing("url"))?;
        Self::check(cx, settings, method, &url, None, opts, read)
    }

    /// Reads a download, whose options are the third argument, and the digest that it is to have.
    pub(crate) fn read_download(
        cx: &Cx,
        settings: Arc<Settings>,
        url: &str,
        opts: View<'_>,
    ) -> Result<(Self, Option<String>)> {
        let mut read = Options::read(opts, 3)?;
        refuse(opts, &OF_REQUEST, "is an option of `request`")?;
        refuse(opts, &NOT_OF_DOWNLOAD, "is no option of `download`")?;
        let sha256 = read.sha256.take();
        read.stream = true;
        let max_size = Max::size(read.max_size.unwrap_or(u64::MAX)).limited(cx);
        let mut call = Self::check(cx, settings, Method::GET, url, None, opts, read)?;
        call.exchange.max_body = max_size;
        // A digest is of what the server has.
        call.exchange.unpack = false;
        Ok((call, sha256))
    }

    fn check(
        cx: &Cx,
        settings: Arc<Settings>,
        method: Method,
        url: &str,
        body: Option<View<'_>>,
        opts: View<'_>,
        read: Options,
    ) -> Result<Self> {
        if read.stream && read.on_event.is_some() {
            return Err(Error::argument(
                "either `stream` or `on_event`: both read the body",
            ));
        }
        let mut url = settings.resolve(url)?;
        if let Some(table) = opts.get("query") {
            add_query(&mut url, &query::encode(table, "query")?);
        }
        let mut all = settings.headers.clone();
        let from_url = take_credentials(&mut url);
        match (&read.auth, from_url) {
            (Some(auth), _) => drop(all.insert(AUTHORIZATION, auth.header()?)),
            (None, Some(basic)) => drop(all.insert(AUTHORIZATION, basic)),
            (None, None) => {}
        }
        if read.on_event.is_some() {
            all.entry(ACCEPT)
                .or_insert(HeaderValue::from_static("text/event-stream"));
        }
        if let Some(table) = opts.get("headers") {
            headers::replace(&mut all, request_headers(table)?);
        }
        let body = one_body(cx, body, opts, all.contains_key(CONTENT_TYPE))?;
        let max_body = read.max_body.or(settings.max_body);
        let stream = read.stream || read.on_event.is_some();
        let on_event = read.on_event.map(|function| OnEvent {
            function,
            max: max_body.unwrap_or(MAX_BODY),
        });
        let retries = match &read.retries {
            Some(options) => Some(Retries::new(options)?),
            None => settings.retries.clone(),
        };
        let exchange = Exchange {
            hop: Hop {
                method,
                url,
                headers: all,
                body,
            },
            timeout: read
                .timeout
                .map_or(Ok(settings.timeout), |value| seconds("timeout", value))?,
            connect_timeout: read
                .connect_timeout
                .map_or(Ok(settings.connect_timeout), |value| {
                    seconds("connect_timeout", value)
                })?,
            max_redirects: read.max_redirects.unwrap_or(settings.max_redirects),
            follow_redirects: read.follow_redirects.unwrap_or(settings.follow_redirects),
            // What is read in parts may go on for ever.
            max_body: Max::body(match (stream, on_event.is_some()) {
                (_, true) => u64::MAX,
                (true, false) => max_body.unwrap_or(u64::MAX),
                (false, false) => max_body.unwrap_or(MAX_BODY),
            })
            .limited(cx),
            retries,
            stream,
            unpack: on_event.is_none(),
            settings,
        };
        Ok(Self { exchange, on_event })
    }
}

/// `user:password@` of a URL, as a header.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let part = |text: &str| query::unescape(text.as_bytes(), false);
    let (user, password) = (
        part(url.username()),
        part(url.password().unwrap_or_default()),
    );
    // It has a host, so both succeed.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    basic(&[&user, &b":"[..], &password].concat())
}

fn basic(credentials: &[u8]) -> Option<HeaderValue> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn one_body(
    cx: &Cx,
    argument: Option<View<'_>>,
    opts: View<'_>,
    has_type: bool,
) -> Result<Option<(Payload, Option<HeaderValue>)>> {
    let given = [
        ("the body argument", argument),
        ("`body`", opts.get("body")),
        ("`form`", opts.get("form")),
        ("`multipart`", opts.get("multipart")),
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
    let (payload, content_type) = match name {
        "`multipart`" => {
            if has_type {
                return Err(Error::argument(
                    "header `content-type`: follows from `multipart` and cannot be set",
                ));
            }
            let (payload, content_type) = multipart::payload(cx, view)?;
            (payload, Some(content_type))
        }
        "`form`" => {
            let text = query::encode(view, "form")?;
            let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            (Payload::Bytes(text.into()), Some(content_type))
        }
        _ => match view.kind()? {
            Kind::Str(bytes) => (Payload::Bytes(bytes.to_vec().into()), None),
            Kind::Buf(buf) => (Payload::Bytes(buf.to_vec().into()), None),
            Kind::List(_) | Kind::Map(_) => {
                let text = json::encode(view).map_err(|error| error.context("body"))?;
                let content_type = HeaderValue::from_static("application/json");
                (Payload::Bytes(text.into()), Some(content_type))
            }
            _ => {
                let got = view.type_name();
                return Err(Error::argument(format!(
                    "body: expected a string, or a table to send as JSON, got {got}"
                )));
            }
        },
    };
    Ok(Some((payload, content_type.filter(|_| !has_type))))
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

pub(crate) fn add_query(url: &mut Url, more: &str) {
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
