//! Results as text.

use std::fmt::Write;

use assay::checks::{Outcome, Results};

use crate::cli::plugins::quoted;
use crate::cli::test::format::{indent, millis, tap_name, xml};

/// A check that is done, for people.
pub fn human(check: &Outcome, colors: bool) -> String {
    let paint = |style: &str, text: &str| match colors {
        true => format!("\x1b[{style}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let state = match check.passed {
        true => paint("32", "ok"),
        false => paint("31;1", "FAILED"),
    };
    let attempts = match check.attempts {
        0 | 1 => String::new(),
        more => format!(", {more} attempts"),
    };
    let took = millis(check.duration);
    let mut out = format!(
        "{state} {} ({took}{attempts})\n",
        plain(&check.name).replace('\n', " ")
    );
    if let Some(message) = &check.message {
        out.push_str(&indent(&plain(message)));
    }
    out
}

/// What closes a list for people.
pub fn summary(results: &Results) -> String {
    let failed = failed(results);
    format!(
        "\n{} passed, {failed} failed ({})\n",
        results.checks.len() - failed,
        millis(results.duration)
    )
}

fn failed(results: &Results) -> usize {
    results.checks.iter().filter(|check| !check.passed).count()
}

/// Test Anything Protocol, version 14.
pub fn tap(results: &Results) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", results.checks.len());
    for (at, check) in results.checks.iter().enumerate() {
        let state = if check.passed { "ok" } else { "not ok" };
        let _ = write!(
            out,
            "{state} {} - {}\n  ---\n  type: {}\n  duration_ms: {}\n  attempts: {}\n",
            at + 1,
            tap_name(&check.name),
            check.kind,
            check.duration.as_millis(),
            check.attempts
        );
        if let Some(message) = &check.message {
            let _ = writeln!(out, "  message: {}", quoted(&plain(message)));
        }
        out.push_str("  ...\n");
    }
    out
}

/// JUnit's XML, as CI systems read it.
pub fn junit(results: &Results, file: &str) -> String {
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" time=\"{:.3}\"",
        results.checks.len(),
        failed(results),
        results.duration.as_secs_f64()
    );
    let file = xml(file);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"{file}\" {counts}>\n"
    );
    for check in &results.checks {
        let _ = write!(
            out,
            "    <testcase classname=\"{file}\" name=\"{}\" time=\"{:.3}\"",
            xml(&check.name).replace('\n', "&#10;"),
            check.duration.as_secs_f64()
        );
        match &check.message {
            None => out.push_str("/>\n"),
            Some(message) => {
                let message = xml(message);
                let first = message.lines().next().unwrap_or_default();
                let _ = writeln!(
                    out,
                    ">\n      <failure message=\"{first}\">{message}</failure>\n    </testcase>"
                );
            }
        }
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Text that cannot drive a terminal, nor break a format.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}
