//! SIGTERM and Ctrl-C. Handlers are installed explicitly, so they work as PID 1 too, where the
//! kernel ignores signals that nobody handles.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use assay::{Error, StopHandle};
use signal_hook::consts::{SIGINT, SIGPIPE, SIGTERM};
use signal_hook::iterator::Signals;

use super::exit;

/// What signals have asked for.
pub struct Watch(Arc<AtomicU8>);

impl Watch {
    /// The exit code of the signal that came, if one did.
    pub fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            signal => Some(exit::SIGNAL + signal),
        }
    }
}

/// What a script gets beyond the grace period of its servers, to end by itself after them.
const MARGIN: Duration = Duration::from_secs(1);

/// How long a stopped script may take to notice before the process ends without it: one call into C
/// may take arbitrarily long.
const PATIENCE: Duration = Duration::from_secs(2);

/// On the first signal the VM shuts down, and is stopped when the grace period is over. A second
/// signal ends the process at once.
///
/// # Errors
/// When handlers cannot be installed.
pub fn watch(stop: StopHandle, grace: Duration) -> Result<Watch, Error> {
    let seen = Arc::new(AtomicU8::new(0));
    let first = Arc::clone(&seen);
    listen(move |signal| {
        let code = exit::SIGNAL + signal;
        if first.swap(signal, Ordering::AcqRel) != 0 {
            exit::now(code);
        }
        stop.shutdown(grace);
        let stop = stop.clone();
        let timer = move || {
            thread::sleep(grace + MARGIN);
            stop.stop();
            thread::sleep(PATIENCE);
            exit::now(code);
        };
        if thread::Builder::new().name("assay-grace".into()).spawn(timer).is_err() {
            // No thread to keep the time: the second signal is left.
        }
    })?;
    Ok(Watch(seen))
}

/// Every signal ends the process at once.
///
/// # Errors
/// When handlers cannot be installed.
pub fn quit() -> Result<(), Error> {
    listen(|signal| exit::now(exit::SIGNAL + signal))
}

fn listen(mut on_signal: impl FnMut(u8) + Send + 'static) -> Result<(), Error> {
    let failed = |error: io::Error| Error::new("signals", format!("cannot handle signals: {error}"));
    // Rust ignores SIGPIPE, and programs that a script starts would inherit that. A handler has
    // the same effect here, and is not inherited.
    signal_hook::flag::register(SIGPIPE, Arc::new(AtomicBool::new(false))).map_err(failed)?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let listener = move || {
        for signal in signals.forever() {
            on_signal(u8::try_from(signal).unwrap_or_default());
        }
    };
    thread::Builder::new().name("assay-signals".into()).spawn(listener).map_err(failed)?;
    Ok(())
}
