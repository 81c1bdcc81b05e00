//! SIGTERM and Ctrl-C. Handlers are installed explicitly, so they work as PID 1 too, where the
//! kernel ignores signals that nobody handles.
//!
//! The handler itself does what cannot wait: it sets the VM's stop flag, which busy Lua code sees, and
//! ends the process on a second signal. What a waiting script needs goes through a pipe into the event
//! loop. No thread is started for it: that would be a tenth of a short script's time.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Poll;
use std::time::Duration;

use assay::{Error, StopHandle};
use signal_hook::consts::{SIGALRM, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::low_level;

use super::exit;
use super::run::PATIENCE;

/// What signals have asked for.
pub struct Watch {
    seen: Arc<AtomicU8>,
    stop: StopHandle,
    grace: Duration,
    pipe: UnixStream,
}

/// What a script gets beyond the grace period of its servers, to end by itself after them.
const MARGIN: Duration = Duration::from_secs(1);

/// On the first signal the VM shuts down, and is stopped when the grace period is over. A second
/// signal ends the process at once.
///
/// # Errors
/// When handlers cannot be installed.
pub fn watch(stop: StopHandle, grace: Duration) -> Result<Watch, Error> {
    let seen = Arc::new(AtomicU8::new(0));
    let limit = (grace + MARGIN + PATIENCE).as_secs();
    for signal in [SIGTERM, SIGINT] {
        let (seen, stop) = (Arc::clone(&seen), stop.clone());
        let number = u8::try_from(signal).unwrap_or_default();
        handle(signal, move || {
            if seen.swap(number, Ordering::AcqRel) != 0 {
                exit::now(exit::SIGNAL + number);
            }
            stop.shutdown_in_handler(grace);
            alarm(limit);
        })?;
    }
    let first = Arc::clone(&seen);
    handle(SIGALRM, move || match first.load(Ordering::Acquire) {
        0 => {
            say("error: the time is up, and the script could not be stopped\n");
            exit::now(exit::TIMEOUT)
        }
        signal => exit::now(exit::SIGNAL + signal),
    })?;
    let (pipe, end) = UnixStream::pair().map_err(failed)?;
    pipe.set_nonblocking(true).map_err(failed)?;
    for signal in [SIGTERM, SIGINT] {
        low_level::pipe::register(signal, end.try_clone().map_err(failed)?).map_err(failed)?;
    }
    Ok(Watch {
        seen,
        stop,
        grace,
        pipe,
    })
}

/// Has a write to a closed pipe fail instead of ending the process. By a handler: an ignored signal
/// would be inherited by the programs that scripts start.
///
/// # Errors
/// When the handler cannot be installed.
pub fn keep_broken_pipes() -> Result<(), Error> {
    signal_hook::flag::register(SIGPIPE, Arc::new(AtomicBool::new(false)))
        .map(drop)
        .map_err(failed)
}

impl Watch {
    /// The exit code of the signal that came, if one did.
    pub fn exit_code(&self) -> Option<u8> {
        match self.seen.load(Ordering::Acquire) {
            0 => None,
            signal => Some(exit::SIGNAL + signal),
        }
    }

    /// Runs something to its end. A signal wakes it and does `more`; when the grace period is over, the
    /// VM is stopped.
    ///
    /// # Errors
    /// Those of the run, and when signals cannot be waited for.
    pub async fn beside<T>(
        &self,
        run: impl Future<Output = Result<T, Error>>,
        more: impl FnOnce(),
    ) -> Result<T, Error> {
        let mut run = std::pin::pin!(run);
        let mut wake = std::pin::pin!(self.wake(more));
        std::future::poll_fn(|cx| match run.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            // Only a script that waits needs to be woken.
            Poll::Pending => wake.as_mut().poll(cx).map(Err),
        })
        .await
    }

    async fn wake(&self, more: impl FnOnce()) -> Error {
        let pipe = match self
            .pipe
            .try_clone()
            .and_then(tokio::net::UnixStream::from_std)
        {
            Ok(pipe) => pipe,
            Err(error) => return failed(error),
        };
        if let Err(error) = pipe.readable().await {
            return failed(error);
        }
        // The run was polled with this, and has seen the flag.
        more();
        tokio::time::sleep(self.grace + MARGIN).await;
        self.stop.stop();
        std::future::pending().await
    }
}

/// Every signal ends the process at once.
///
/// # Errors
/// When handlers cannot be installed.
pub fn quit() -> Result<(), Error> {
    for signal in [SIGTERM, SIGINT] {
        handle(signal, move || {
            exit::now(exit::SIGNAL + u8::try_from(signal).unwrap_or_default())
        })?;
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::new("signals", format!("cannot handle signals: {error}"))
}

/// Installs a handler. It may only do what a signal handler may: set flags, send signals, exit.
#[allow(unsafe_code)]
fn handle(signal: i32, action: impl Fn() + Send + Sync + 'static) -> Result<(), Error> {
    // SAFETY: the actions above touch atomics and make calls that signal-safety(7) lists.
    unsafe { low_level::register(signal, action) }
        .map(drop)
        .map_err(failed)
}

/// Ends the process when a script with a time limit did not stop in time: one that is in a finalizer, or
/// in a long call into C, cannot be.
pub fn give_up_after(timeout: Duration) {
    alarm((timeout + PATIENCE).as_secs().saturating_add(1));
}

/// Writes to stderr, from a signal handler.
#[allow(unsafe_code)]
fn say(text: &str) {
    // SAFETY: async-signal-safe, on a static text.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

/// SIGALRM after so many seconds, whatever the process does then.
#[allow(unsafe_code)]
fn alarm(seconds: u64) {
    // SAFETY: async-signal-safe.
    unsafe { libc::alarm(u32::try_from(seconds).unwrap_or(u32::MAX)) };
}
