//! Panics end at the boundary.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::Error;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs code of the plugin; a panic in it is an error of kind `panic` with file and line.
pub fn contain<T>(f: impl FnOnce() -> T) -> Result<T, Error> {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let result = catch_unwind(AssertUnwindSafe(f)).map_err(panicked);
    DEPTH.with(|depth| depth.set(depth.get() - 1));
    result
}

// Not part of `contain`, of which every function of a plugin has an instance.
#[cold]
#[inline(never)]
fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let what = LAST.with(RefCell::take);
    // A payload's own destructor may panic; what that leaves is leaked.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
        LAST.with(RefCell::take);
    }
    Error::new("panic", what.unwrap_or_else(|| "panicked".into()))
        .hint("this is a bug in the plugin, not in the script: report it to the plugin's author")
}

/// Keeps panics of contained code off stderr and remembers where they happened. Others are left to
/// the hook that was there before.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.with(Cell::get) == 0 {
                return before(info);
            }
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            let place = info
                .location()
                .map(|at| format!(" at {}:{}", at.file(), at.line()));
            LAST.set(Some(format!(
                "panicked{}: {message}",
                place.unwrap_or_default()
            )));
        }));
    });
}
