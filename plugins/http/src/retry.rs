//! Whether to send a request again, and when.

use std::time::{Duration, SystemTime};

use assay_plugin::tls::provider;
use assay_plugin::{Error, Result};
use hyper::Method;
use hyper::header::HeaderValue;
use serde::Deserialize;

use crate::failure;
use crate::request::seconds;

/// The option, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    attempts: u32,
    backoff: f64,
    max_backoff: f64,
    statuses: Vec<u16>,
    methods: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: 0.5,
            max_backoff: 30.0,
            statuses: vec![408, 429, 502, 503, 504],
            // Idempotent by RFC 9110: twice is as good as once.
            methods: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]
                .map(Into::into)
                .into(),
        }
    }
}

/// What to send again.
#[derive(Clone)]
pub struct Retries {
    attempts: u32,
    backoff: Duration,
    max_backoff: Duration,
    statuses: Vec<u16>,
    methods: Vec<Method>,
}

impl Retries {
    pub fn new(options: &Options) -> Result<Self> {
        let wrong = |what: String| Error::argument(format!("option `retries.{what}"));
        if !(1..=100).contains(&options.attempts) {
            let got = options.attempts;
            return Err(wrong(format!("attempts`: expected 1 to 100, got {got}")));
        }
        if let Some(status) = options
            .statuses
            .iter()
            .find(|status| !(400..600).contains(*status))
        {
            return Err(wrong(format!(
                "statuses`: expected statuses from 400 to 599, got {status}"
            )));
        }
        let methods = options.methods.iter().map(|name| {
            Method::from_bytes(name.to_ascii_uppercase().as_bytes()).map_err(|_| {
                let name = name.escape_debug();
                wrong(format!("methods`: \"{name}\" is not a method"))
            })
        });
        Ok(Self {
            attempts: options.attempts,
            backoff: seconds("retries.backoff", options.backoff)?,
            max_backoff: seconds("retries.max_backoff", options.max_backoff)?,
            statuses: options.statuses.clone(),
            methods: methods.collect::<Result<_>>()?,
        })
    }

    /// How long to wait before sending it again after so many attempts; None when this was it.
    pub fn pause(&self, done: u32, method: &Method, outcome: &Outcome<'_>) -> Option<Duration> {
        if done >= self.attempts || !self.methods.contains(method) {
            return None;
        }
        let asked = match outcome {
            Outcome::Status(status, retry_after) => {
                if !self.statuses.contains(status) {
                    return None;
                }
                retry_after.and_then(|value| after(value, SystemTime::now()))
            }
            Outcome::Failed(error) if failure::may_pass(error) => None,
            Outcome::Failed(_) => return None,
        };
        match asked {
            // Who says when to come back is not asked earlier, and not waited for at any length.
            Some(asked) => (asked <= self.max_backoff).then_some(asked),
            None => Some(self.backoff(done, fraction())),
        }
    }

    /// Doubles with each attempt; the upper half of it is left to chance, so that many who failed
    /// together do not come back together.
    fn backoff(&self, done: u32, chance: f64) -> Duration {
        let doubled = self.backoff.as_secs_f64() * 2_f64.powi((done - 1).min(64) as i32);
        let longest = doubled.min(self.max_backoff.as_secs_f64());
        Duration::from_secs_f64(longest * (0.5 + chance / 2.0))
    }
}

/// What came of an attempt.
pub enum Outcome<'a> {
    /// A status, with `retry-after`.
    Status(u16, Option<&'a HeaderValue>),
    Failed(&'a Error),
}

/// `retry-after`: seconds, or a date.
fn after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Fills with random bytes, or where there are none leaves it.
pub fn random(bytes: &mut [u8]) {
    let _ = provider().secure_random.fill(bytes);
}

/// From 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    random(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries() -> Retries {
        Retries::new(&Options::default()).unwrap()
    }

    #[test]
    fn doubles_up_to_the_longest_with_chance_in_the_upper_half() {
        let of = |done, chance| retries().backoff(done, chance).as_secs_f64();
        assert_eq!([of(1, 0.0), of(1, 1.0)], [0.25, 0.5]);
        assert_eq!([of(3, 0.0), of(3, 1.0)], [1.0, 2.0]);
        assert_eq!([of(9, 1.0), of(100, 1.0)], [30.0, 30.0]);
        assert!((0.0..=1.0).contains(&fraction()));
    }

    #[test]
    fn what_is_sent_again() {
        let retries = retries();
        let pause =
            |method: &Method, outcome: Outcome<'_>| retries.pause(1, method, &outcome).is_some();
        assert!(pause(&Method::GET, Outcome::Status(503, None)));
        let failed = Error::new("connect", "connection refused");
        assert!(pause(&Method::DELETE, Outcome::Failed(&failed)));
        for method in [Method::POST, Method::PATCH] {
            assert!(!pause(&method, Outcome::Status(503, None)), "{method}");
            assert!(!pause(&method, Outcome::Failed(&failed)), "{method}");
        }
        for status in [200, 304, 404, 500, 501] {
            assert!(
                !pause(&Method::GET, Outcome::Status(status, None)),
                "{status}"
            );
        }
        for kind in ["tls", "permission", "argument", "redirect"] {
            let error = Error::new(kind, "");
            assert!(!pause(&Method::GET, Outcome::Failed(&error)), "{kind}");
        }
        assert!(
            retries
                .pause(3, &Method::GET, &Outcome::Status(503, None))
                .is_none()
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let of = |text| after(&HeaderValue::from_static(text), now);
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            of("Sun, 06 Nov 1994 08:49:40 GMT"),
            Some(Duration::from_secs(3))
        );
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        assert_eq!(of("-1"), None);
        let pause = |text| {
            let value = HeaderValue::from_static(text);
            retries().pause(1, &Method::GET, &Outcome::Status(429, Some(&value)))
        };
        assert_eq!(pause("30"), Some(Duration::from_secs(30)));
        assert_eq!(pause("31"), None, "longer than `max_backoff`");
    }
}
