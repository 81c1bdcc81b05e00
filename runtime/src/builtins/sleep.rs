//! `sleep(seconds)`: waits without blocking the other coroutines.

use std::time::Duration;

use assay_plugin::{Cx, Error, Result, family};

family! {
    /// Waits. Other coroutines run meanwhile.
    name: "sleep",
    functions: {
        /// Waits that many seconds, with fractions.
        async fn __call = "fun(seconds: number)",
    },
}

/// A longer wait is a mistake of units (milliseconds, an epoch), not a plan.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

async fn __call(cx: Cx, seconds: f64) -> Result<()> {
    let duration = duration(seconds)?;
    cx.sleep(duration).await
}

fn duration(seconds: f64) -> Result<Duration> {
    let wrong = |what: String| Error::argument(format!("argument 1: expected seconds, got {what}"));
    if seconds.is_nan() {
        return Err(wrong("a value that is not a number (0/0)".into()));
    }
    if seconds < 0.0 {
        return Err(wrong(format!("a negative number, {seconds}")));
    }
    if seconds > LONGEST {
        return Err(wrong(format!("{seconds}, more than 100 years"))
            .hint("the unit is seconds, not milliseconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_plugin::test::Host;

    fn refused(seconds: f64) -> Error {
        let host = Host::new(&FAMILY);
        host.call::<()>("__call", (seconds,)).unwrap_err()
    }

    #[test]
    fn only_real_spans() {
        for seconds in [
            -1.0,
            -1e-9,
            f64::NEG_INFINITY,
            f64::NAN,
            f64::INFINITY,
            1e300,
            4e9,
        ] {
            let error = refused(seconds);
            assert_eq!(error.kind(), "argument", "{seconds}: {error:?}");
        }
        assert_eq!(
            refused(-1.0).message(),
            "argument 1: expected seconds, got a negative number, -1"
        );
    }

    #[test]
    fn spans_that_are_fine() {
        for (seconds, millis) in [
            (0.0, 0),
            (-0.0, 0),
            (0.25, 250),
            (LONGEST, 3_153_600_000_000),
        ] {
            assert_eq!(duration(seconds).unwrap(), Duration::from_millis(millis));
        }
    }

    #[test]
    fn a_wrong_type_is_named() {
        let host = Host::new(&FAMILY);
        let error = host.call::<()>("__call", ("soon",)).unwrap_err();
        assert_eq!(
            error.message(),
            "argument 1: expected number, got string \"soon\""
        );
        let error = host.call::<()>("__call", ()).unwrap_err();
        assert_eq!(error.message(), "argument 1: expected number, got nothing");
    }
}
