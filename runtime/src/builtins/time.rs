//! `time()`: the clock, and RFC 3339 both ways.

use std::time::{SystemTime, UNIX_EPOCH};

use assay_plugin::{De, Error, Result, family};
use serde::Deserialize;

family! {
    /// The time as seconds since 1970-01-01T00:00:00Z, with fractions. `time()` is `time.now()`.
    name: "time",
    functions: {
        /// Seconds since the epoch.
        fn __call = "fun(): number",
        /// Seconds since the epoch.
        fn now = "fun(): number",
        /// A time (without one: now) as RFC 3339 text: `2026-01-31T12:00:00Z`.
        fn rfc3339 = "fun(epoch?: number, opts?: time.Rfc3339Options): string",
        /// Seconds since the epoch of an RFC 3339 text.
        fn parse = "fun(text: string): number",
    },
}

fn __call() -> f64 {
    now()
}

fn now() -> f64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rfc3339Options {
    /// Digits after the second, 0 to 9.
    digits: u32,
    /// `Z` or `+hh:mm`.
    offset: Option<String>,
}

fn rfc3339(epoch: Option<f64>, opts: Option<De<Rfc3339Options>>) -> Result<String> {
    let epoch = epoch.unwrap_or_else(now);
    let De(opts) = opts.unwrap_or(De(Rfc3339Options::default()));
    if opts.digits > 9 {
        return Err(Error::argument(format!(
            "option `digits`: expected 0 to 9, got {}",
            opts.digits
        )));
    }
    let (offset, suffix) = match opts.offset.as_deref() {
        None | Some("Z") => (0, "Z"),
        Some(text) => match parse_offset(text.as_bytes()) {
            Some(seconds) => (seconds, text),
            None => {
                return Err(Error::argument(format!(
                    "option `offset`: expected \"Z\" or \"+hh:mm\", got {text:?}"
                )));
            }
        },
    };
    // Cut, not rounded: a time that has not come yet would be a lie.
    let scale = 10_u64.pow(opts.digits);
    let whole = epoch.floor();
    let fraction = ((epoch - whole) * scale as f64) as u64;
    let local = whole + offset as f64;
    if !(FIRST..LAST).contains(&local) {
        return Err(Error::argument(format!(
            "argument 1: {epoch} is outside of the years 0 to 9999"
        ))
        .hint("the unit is seconds, not milliseconds"));
    }
    let mut text = date_time(local as i64);
    if opts.digits > 0 {
        let digits = opts.digits as usize;
        text.push_str(&format!(".{:0digits$}", fraction.min(scale - 1)));
    }
    Ok(text + suffix)
}

/// UTC with milliseconds, for log lines.
pub(crate) fn format_rfc3339(seconds: i64, millis: u32) -> String {
    format!("{}.{millis:03}Z", date_time(seconds))
}

/// `2026-01-31T12:00:00` of a count of seconds.
fn date_time(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

fn parse(text: &[u8]) -> Result<f64> {
    read(text).ok_or_else(|| {
        Error::new(
            "syntax",
            format!(
                "expected RFC 3339 such as 2026-01-31T12:00:00Z, got {:?}",
                String::from_utf8_lossy(&text[..text.len().min(64)])
            ),
        )
    })
}

fn read(text: &[u8]) -> Option<f64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let [
        year @ ..,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T' | b't' | b' ',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
    ] = date_time
    else {
        return None;
    };
    let [month, day, hour, minute, second] =
        [[m1, m2], [d1, d2], [h1, h2], [i1, i2], [s1, s2]].map(|[a, b]| number(&[*a, *b]));
    let (year, month, day) = (number(year)?, month?, day?);
    let (hour, minute, second) = (hour?, minute?, second?);
    // 60 is a leap second; the epoch has none, so it is the next second's start.
    let fits = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !fits {
        return None;
    }
    let digits = match rest {
        [b'.', after @ ..] => after.iter().take_while(|b| b.is_ascii_digit()).count() + 1,
        _ => 0,
    };
    let (fraction, offset) = rest.split_at(digits);
    let fraction: f64 = match fraction {
        [] => 0.0,
        [_] => return None,
        digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
    };
    let offset = match offset {
        b"Z" | b"z" => 0,
        offset => parse_offset(offset)?,
    };
    let whole = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(whole as f64 + fraction)
}

/// `+hh:mm` in seconds.
fn parse_offset(text: &[u8]) -> Option<i64> {
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = text else {
        return None;
    };
    let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let seconds = hours * 3600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// The proleptic Gregorian calendar counted in eras of 400 years, whose years begin in March so that
// the leap day is the last of its year.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// 0000-01-01 and 10000-01-01 in seconds.
const FIRST: f64 = -62_167_219_200.0;
const LAST: f64 = 253_402_300_800.0;

/// The days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - EPOCH
}

/// The date that many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_plugin::test::Host;
    use assay_plugin::{IntoVal, Value};

    fn parsed(text: &str) -> Result<f64> {
        Host::new(&FAMILY).call("parse", (text,))
    }

    fn formatted(epoch: f64, opts: impl IntoVal) -> Result<String> {
        Host::new(&FAMILY).call("rfc3339", (epoch, opts))
    }

    fn options(pairs: &[(&str, Value)]) -> Value {
        Value::Map(
            pairs
                .iter()
                .map(|(k, v)| (Value::from(*k), v.clone()))
                .collect(),
        )
    }

    /// Walks every day of the range with a calendar that only counts.
    #[test]
    fn the_calendar_is_gregorian() {
        let (mut year, mut month, mut day) = (0, 1, 1);
        let mut number = (FIRST / 86_400.0) as i64;
        while year < 10_000 {
            assert_eq!(civil(number), (year, month, day));
            assert_eq!(days(year, month, day), number);
            number += 1;
            day += 1;
            if day > days_in_month(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(number * 86_400, LAST as i64);
    }

    #[test]
    fn known_times() {
        for (text, epoch) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("1969-12-31T23:59:59Z", -1.0),
            ("2000-02-29T12:34:56Z", 951_827_696.0),
            ("2026-11-22T01:05:00Z", 1_795_309_500.0),
            ("9999-12-31T23:59:59Z", 253_402_300_799.0),
            ("0000-01-01T00:00:00Z", FIRST),
        ] {
            assert_eq!(parsed(text).unwrap(), epoch, "{text}");
            assert_eq!(formatted(epoch, ()).unwrap(), text);
        }
    }

    #[test]
    fn what_others_write() {
        for (text, epoch) in [
            ("1985-04-12T23:20:50.52Z", 482_196_050.52),
            ("1996-12-19T16:39:57-08:00", 851_042_397.0),
            ("1990-12-31T23:59:60Z", 662_688_000.0),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172.13),
            ("2026-01-31t12:00:00z", 1_769_860_800.0),
            ("2026-01-31 12:00:00.000000001+00:00", 1_769_860_800.0),
        ] {
            assert!((parsed(text).unwrap() - epoch).abs() < 1e-6, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "now",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-01-00T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:61Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+0100",
            "2026-01-31T12:00:00Z ",
            "+026-01-31T12:00:00Z",
            "2026-01-3\u{661}T12:00:00Z",
            "2026-01-31T12:00:00Z\0",
        ] {
            let error = parsed(text).unwrap_err();
            assert_eq!(error.kind(), "syntax", "{text:?}");
        }
        let error = Host::new(&FAMILY)
            .call::<f64>("parse", (&b"\xff\xfe"[..],))
            .unwrap_err();
        assert!(
            error.message().contains("2026-01-31T12:00:00Z"),
            "{error:?}"
        );
    }

    #[test]
    fn digits_and_offset() {
        let digits = |digits| options(&[("digits", Value::Int(digits))]);
        assert_eq!(
            formatted(1.5, digits(3)).unwrap(),
            "1970-01-01T00:00:01.500Z"
        );
        assert_eq!(
            formatted(-0.25, digits(2)).unwrap(),
            "1969-12-31T23:59:59.75Z"
        );
        assert_eq!(
            formatted(0.999_999_9, digits(1)).unwrap(),
            "1970-01-01T00:00:00.9Z"
        );
        assert_eq!(
            formatted(-f64::MIN_POSITIVE, digits(9)).unwrap(),
            "1969-12-31T23:59:59.999999999Z"
        );
        let offset = options(&[("offset", "+05:30".into())]);
        assert_eq!(formatted(0.0, offset).unwrap(), "1970-01-01T05:30:00+05:30");
    }

    #[test]
    fn hostile_numbers_and_options() {
        for epoch in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e300,
            1.7e12,
            FIRST - 1.0,
        ] {
            assert_eq!(
                formatted(epoch, ()).unwrap_err().kind(),
                "argument",
                "{epoch}"
            );
        }
        for opts in [
            options(&[("digits", Value::Int(10))]),
            options(&[("digits", Value::Int(-1))]),
            options(&[("offset", "CET".into())]),
            options(&[("offset", "+99:00".into())]),
            options(&[("digit", Value::Int(1))]),
        ] {
            assert_eq!(formatted(0.0, opts).unwrap_err().kind(), "argument");
        }
        let error = formatted(0.0, options(&[("digit", Value::Int(1))])).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `digits`?"));
    }

    #[test]
    fn log_times() {
        assert_eq!(format_rfc3339(1_795_309_500, 7), "2026-11-22T01:05:00.007Z");
        assert_eq!(format_rfc3339(0, 0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn now_is_now() {
        let host = Host::new(&FAMILY);
        let (a, b) = (host.call::<f64>("__call", ()), host.call::<f64>("now", ()));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a <= b && b - a < 60.0 && a > 1.7e9, "{a} {b}");
        let text: String = host.call("rfc3339", ()).unwrap();
        assert!((parsed(&text).unwrap() - b).abs() < 60.0, "{text}");
    }
}
