//! The one module that writes to the terminal.

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::FromRawFd;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;

use super::report::Report;
use super::{env, exit};

/// Data, for stdout; the exit code. A reader that went away ends the output quietly.
pub fn data(text: &str) -> Result<u8, assay::Error> {
    let written = match KEPT.get() {
        Some(mut kept) => kept.write_all(text.as_bytes()),
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
        }
    };
    match written {
        Ok(()) => Ok(exit::OK),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(exit::OK),
        Err(error) => {
            self::error(
                &assay::Error::new("io", format!("cannot write to stdout: {error}")).into(),
            );
            Ok(exit::FAILED)
        }
    }
}

/// Standard output, after [`keep_stdout`].
static KEPT: OnceLock<File> = OnceLock::new();

/// Keeps standard output for [`data`] alone: whatever else writes to it from now on, the programs that
/// scripts start among them, writes to standard error.
///
/// # Errors
/// When there are too many open files.
#[allow(unsafe_code)]
pub fn keep_stdout() -> Result<(), assay::Error> {
    // SAFETY: plain calls on descriptors that are open (`open_standard_files`).
    let kept = unsafe {
        let kept = libc::fcntl(1, libc::F_DUPFD_CLOEXEC, 3);
        if kept < 0 || libc::dup2(2, 1) < 0 {
            let error = std::io::Error::last_os_error();
            return Err(assay::Error::new(
                "io",
                format!("cannot keep stdout: {error}"),
            ));
        }
        File::from_raw_fd(kept)
    };
    let _ = KEPT.set(kept);
    Ok(())
}

/// Text for stderr. Whoever closed it does not want to know.
pub fn talk(text: &str) {
    talk_bytes(text.as_bytes());
}

/// Bytes for stderr.
pub fn talk_bytes(bytes: &[u8]) {
    let _ = std::io::stderr().lock().write_all(bytes);
}

/// An error, for stderr.
pub fn error(report: &Report) {
    talk(&report.render(colors()));
}

/// Whether stderr takes colours.
fn colors() -> bool {
    std::io::stderr().is_terminal() && !env::no_color()
}

/// Whether stdout takes colours.
pub fn stdout_colors() -> bool {
    stdout_is_terminal() && !env::no_color()
}

/// Whether somebody looks at stdout.
pub fn stdout_is_terminal() -> bool {
    match KEPT.get() {
        Some(kept) => kept.is_terminal(),
        None => std::io::stdout().is_terminal(),
    }
}

/// Runs the program; a panic in it is reported as the bug that it is.
pub fn contained(run: impl FnOnce() -> u8) -> u8 {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()));
        error(&internal(message, &place.unwrap_or_default()).into());
    }));
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(exit::INTERNAL)
}

/// The arguments without the program's name.
///
/// # Safety
/// As `main` of C gets them.
#[allow(unsafe_code)]
pub unsafe fn arguments(
    count: std::ffi::c_int,
    values: *const *const std::ffi::c_char,
) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;
    (1..usize::try_from(count).unwrap_or(0))
        .map(|at| {
            // SAFETY: the caller's promise.
            let text = unsafe { CStr::from_ptr(*values.add(at)) };
            OsString::from_vec(text.to_bytes().to_vec())
        })
        .collect()
}

/// Standard input, output and error that the parent closed become `/dev/null`: else the next file that
/// is opened would take their place, and `print` would write into it.
#[allow(unsafe_code)]
pub fn open_standard_files() {
    for descriptor in 0..3 {
        // SAFETY: plain calls; the lowest free descriptor is the one that is missing.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

fn internal(message: &str, place: &str) -> assay::Error {
    let version = env!("CARGO_PKG_VERSION");
    assay::Error::new(
        "internal",
        format!("internal error in assay {version}{place}: {message}"),
    )
    .with_hint(concat!(
        "this is a bug in assay: report it with this message and the script at ",
        env!("CARGO_PKG_REPOSITORY"),
        "/issues"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error() {
        assert_eq!(contained(|| 3), 3);
        assert_eq!(contained(|| panic!("lost")), exit::INTERNAL);
        drop(std::panic::take_hook());
        let text = Report::from(internal("lost", " at src/lib.rs:1")).render(false);
        assert!(
            text.starts_with("error: internal error in assay "),
            "{text}"
        );
        assert!(
            text.contains(" at src/lib.rs:1: lost\n\nhint: this is a bug in assay: report it"),
            "{text}"
        );
    }
}
