//! Stopping Lua code that never waits.
//!
//! A count hook costs every VM instruction (twice the time of a tight loop, measured), so none is set
//! while nobody wants to stop the script. Who does sends the VM's thread a signal, whose handler sets
//! the hook on the Lua thread that runs there: `lua_sethook` is made to be called like this, and the
//! `lua` executable stops on Ctrl-C the same way.

use std::cell::Cell;
use std::sync::Once;

use super::{ffi, lua_State};

thread_local! {
    /// What this thread runs right now.
    static RUNNING: Cell<*mut lua_State> = const { Cell::new(std::ptr::null_mut()) };
}

/// Ignored by default everywhere, and so safe to send to a thread that has left Lua meanwhile.
const SIGNAL: libc::c_int = libc::SIGURG;

/// Marks a Lua thread as the one that runs; tells the one before.
pub(crate) fn enter(state: *mut lua_State) -> *mut lua_State {
    RUNNING.with(|running| running.replace(state))
}

extern "C" fn handle(_: libc::c_int) {
    let state = RUNNING.with(Cell::get);
    if !state.is_null() {
        // SAFETY: the state runs on this thread, interrupted between two instructions of C; setting
        // a hook is all that may be done to it then.
        unsafe { crate::vm::stop_now(state) };
    }
}

/// Installs the handler, once in the process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a handler that only touches a thread-local and the Lua state of its own thread.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(SIGNAL, &action, std::ptr::null_mut());
        }
    });
}

/// Has the Lua code that runs on a thread look at the stop flag. The thread must be alive.
pub(crate) fn send(thread: libc::pthread_t) {
    // SAFETY: the caller's promise that the thread is alive.
    unsafe { libc::pthread_kill(thread, SIGNAL) };
}

/// The thread that calls.
pub(crate) fn this_thread() -> libc::pthread_t {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// Resumes a coroutine, as `lua_resume`, so that it can be stopped.
pub(crate) unsafe fn resume(
    vm: &super::state::Vm,
    state: *mut lua_State,
    from: *mut lua_State,
    nargs: std::ffi::c_int,
    results: &mut std::ffi::c_int,
) -> std::ffi::c_int {
    let before = enter(state);
    // SAFETY: the caller's, as for `lua_resume`.
    unsafe {
        if vm.config.instruction_limit.is_some() && ffi::lua_status(state) == ffi::LUA_OK {
            // One that ends before the hook has counted it must not be free.
            vm.count(crate::vm::COUNT);
        }
        if vm.wants_stop() {
            // The signal may have come before `enter`.
            crate::vm::stop_now(state);
        }
        let status = ffi::lua_resume(state, from, nargs, results);
        enter(before);
        if vm.wants_stop() && !before.is_null() {
            crate::vm::stop_now(before);
        }
        status
    }
}
