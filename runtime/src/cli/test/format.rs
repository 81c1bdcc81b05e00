//! Results as text.

use std::fmt::Write;
use std::time::Duration;

use super::file::{End, Failure, Result};

/// Counts of results.
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Summary {
    /// Counts.
    pub fn of(results: &[Result]) -> Self {
        let mut summary = Self {
            passed: 0,
            failed: 0,
            skipped: 0,
        };
        for test in results.iter().flat_map(|result| &result.tests) {
            match test.end {
                End::Passed => summary.passed += 1,
                End::Failed(_) => summary.failed += 1,
                End::Skipped => summary.skipped += 1,
            }
        }
        summary
    }

    /// `3 passed, 0 failed`.
    pub fn line(&self) -> String {
        let skipped = match self.skipped {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        format!("{} passed, {} failed{skipped}\n", self.passed, self.failed)
    }
}

/// The tests of a file, for people. Failures come at the end of the run.
pub fn human_file(result: &Result, colors: bool) -> String {
    let paint = |style: &str, text: &str| match colors {
        true => format!("\x1b[{style}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let mut out = format!("{} ({})\n", result.path, millis(result.took));
    for test in &result.tests {
        let state = match test.end {
            End::Passed => paint("32", "ok"),
            End::Skipped => paint("33", "skipped"),
            End::Failed(_) => paint("31;1", "FAILED"),
        };
        let _ = writeln!(out, "  {state} {} ({})", test.name, millis(test.took));
    }
    out
}

/// What follows the files' lists: failures, and the closing line.
pub fn human(results: &[Result], summary: &Summary) -> String {
    let mut out = String::new();
    for result in results {
        for test in &result.tests {
            if let End::Failed(failure) = &test.end {
                let Failure { report, output } = &**failure;
                let _ = write!(
                    out,
                    "\n{}: {}\n\n{}",
                    result.path,
                    test.name,
                    indent(&report.render(false))
                );
                if !output.is_empty() {
                    let _ = write!(out, "\n  it wrote:\n{}", indent(&indent(output)));
                }
            }
        }
    }
    if !results.is_empty() {
        out.push('\n');
        out.push_str(&summary.line());
    }
    out
}

/// Test Anything Protocol, version 14.
pub fn tap(results: &[Result]) -> String {
    let count: usize = results.iter().map(|result| result.tests.len()).sum();
    let mut out = format!("TAP version 14\n1..{count}\n");
    let tests = results
        .iter()
        .flat_map(|result| result.tests.iter().map(move |test| (result, test)));
    for (at, (result, test)) in tests.enumerate() {
        let number = at + 1;
        let name = tap_name(&format!("{}: {}", result.path, test.name));
        match &test.end {
            End::Passed => {
                let _ = writeln!(out, "ok {number} - {name}");
            }
            End::Skipped => {
                let _ = writeln!(out, "ok {number} - {name} # SKIP");
            }
            End::Failed(_) => {
                let _ = writeln!(out, "not ok {number} - {name}");
            }
        }
        let _ = writeln!(
            out,
            "  ---\n  duration_ms: {:.3}",
            test.took.as_secs_f64() * 1000.0
        );
        if let End::Failed(failure) = &test.end {
            let Failure { report, output } = &**failure;
            let _ = write!(
                out,
                "  message: |\n{}",
                indent(&indent(&report.render(false)))
            );
            if !output.is_empty() {
                let _ = write!(out, "  output: |\n{}", indent(&indent(output)));
            }
        }
        out.push_str("  ...\n");
    }
    out
}

/// JUnit's XML, as CI systems read it.
pub fn junit(results: &[Result], summary: &Summary) -> String {
    let count = summary.passed + summary.failed + summary.skipped;
    let took: Duration = results.iter().map(|result| result.took).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{count}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
        summary.failed,
        summary.skipped,
        took.as_secs_f64()
    );
    for result in results {
        let own = Summary::of(std::slice::from_ref(result));
        let path = xml(&result.path);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{path}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
            result.tests.len(),
            own.failed,
            own.skipped,
            result.took.as_secs_f64()
        );
        for test in &result.tests {
            let _ = write!(
                out,
                "    <testcase classname=\"{path}\" name=\"{}\" time=\"{:.3}\"",
                xml(&test.name),
                test.took.as_secs_f64()
            );
            match &test.end {
                End::Passed => out.push_str("/>\n"),
                End::Skipped => out.push_str("><skipped/></testcase>\n"),
                End::Failed(failure) => {
                    let Failure { report, output } = &**failure;
                    let _ = write!(
                        out,
                        ">\n      <failure message=\"{}\">{}</failure>\n",
                        xml(report.message()).replace('\n', "&#10;"),
                        xml(&report.render(false))
                    );
                    if !output.is_empty() {
                        let _ = writeln!(out, "      <system-out>{}</system-out>", xml(output));
                    }
                    out.push_str("    </testcase>\n");
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text in XML 1.0, which has no way to write most control characters.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// A description in TAP.
pub fn tap_name(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('#', "\\#")
        .replace(['\n', '\r'], " ")
}

/// Two spaces before each line; ends with a newline.
pub fn indent(text: &str) -> String {
    let lines = text.lines().map(|line| {
        if line.is_empty() {
            "\n".into()
        } else {
            format!("  {line}\n")
        }
    });
    lines.collect()
}

/// A time as people read it.
pub fn millis(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1000.0),
        seconds => format!("{seconds:.2} s"),
    }
}
