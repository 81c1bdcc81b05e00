//! The one module that writes to the terminal.
#![allow(clippy::print_stderr)] // this is where it happens

use std::error::Error as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;

use assay_registry::error::{Error, ErrorKind};
use assay_registry::progress::{Event, Progress};

use crate::env;

/// Exit code: a bug in this program.
pub const INTERNAL: u8 = 70;

/// Data, for stdout. A reader that went away ends the output quietly.
pub fn data(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| {
            Error::new(ErrorKind::Io, "failed to write to stdout").with_source(error)
        }),
    }
}

/// Talk, for stderr.
pub fn talk(line: &str) {
    eprintln!("{line}");
}

/// `error: ...`, its causes, a blank line and the hint.
pub fn error(error: &Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    eprintln!("{} {text}", paint("31;1", "error:"));
    if let Some(hint) = error.hint() {
        eprintln!("\n{} {hint}", paint("36;1", "hint:"));
    }
}

/// 2 when the command line or the set-up is to be mended, 1 when the operation failed.
pub fn exit_code(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::Usage
        | ErrorKind::NotFound
        | ErrorKind::Unsupported
        | ErrorKind::Unauthorized
        | ErrorKind::Locked => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}

/// A panic is a bug: one line that says so, instead of a backtrace.
pub fn explain_panics() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!(
            "error: internal error in assay-registry {}: {panic}\n\nhint: this is a bug; report it with the command that you ran",
            env!("CARGO_PKG_VERSION")
        );
    }));
}

/// Shows progress: a line that moves on a terminal, one line for each package
/// in a log.
pub struct Reporter {
    moving: bool,
    state: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    shown: bool,
    at: Option<std::time::Instant>,
}

impl Reporter {
    /// A reporter for stderr as it is.
    pub fn new() -> Self {
        Reporter {
            moving: std::io::stderr().is_terminal(),
            state: Mutex::default(),
        }
    }

    fn moving(&self, text: &str) {
        if !self.moving {
            return;
        }
        let mut line = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = std::time::Instant::now();
        if line
            .at
            .is_some_and(|last| now.duration_since(last).as_millis() < 50)
        {
            return;
        }
        *line = Line {
            shown: true,
            at: Some(now),
        };
        eprint!("\r\x1b[K{text}");
    }

    fn line(&self, text: &str) {
        self.clear();
        eprintln!("{text}");
    }

    /// Takes the moving line away.
    pub fn clear(&self) {
        let mut line = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if line.shown {
            eprint!("\r\x1b[K");
        }
        *line = Line::default();
    }
}

impl Progress for Reporter {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Waiting(root) => {
                self.line(&format!("waiting for another assay at {}", root.display()))
            }
            Event::Resolving(source) => self.moving(&format!("looking up versions in {source}")),
            Event::Downloading {
                package,
                done,
                total,
            } => {
                let percent = done * 100 / (*total).max(1);
                self.moving(&format!(
                    "fetching {package}: {percent} % of {}",
                    size(*total)
                ));
            }
            Event::Uploading { package, total } => {
                self.moving(&format!("sending {package}: {}", size(*total)))
            }
            Event::Retrying { host, reason, wait } => {
                self.line(&format!(
                    "{host}: {reason}; trying again in {:.1} s",
                    wait.as_secs_f32()
                ));
            }
            Event::Installed(package, version) => self.line(&format!(
                "{} {package} {version}",
                paint("32;1", "installed")
            )),
            Event::Removed(package, version) => {
                self.line(&format!("{} {package} {version}", paint("33;1", "removed")))
            }
            _ => {}
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `812 B`, `3.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && env::text(env::NO_COLOR).is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
