//! The VM from the inside: everything that touches the Lua C API, and so the runtime's `unsafe`.
//!
//! One rule makes it sound: a Lua error is a `longjmp`, so no frame that it may cross owns anything
//! that must be dropped. Functions that can raise say so in their name or doc; those that call out
//! to plugins run them between `lua_pcall`s only.
//!
//! - `heap`: a Lua state and its memory
//! - `state`: the VM's shared structure, its scratch memory, its tasks
//! - `bridge`: values between the Lua stack and the boundary; the trampolines
//! - `task`: coroutines as futures, pending calls, Lua functions called by plugins
//! - `object`: plugin objects as userdata, records and classes
//! - `errors`: the error record as a Lua value
//! - `host`: what plugins may ask of us: log, permissions, reactor
//! - `confine`: Lua's own library where a script may not do everything
//! - `stoppable`, `pattern`: what of it takes long, for scripts with a time limit
//! - `native`: the frame for builtins that work on the Lua stack itself, and those builtins:
//!   `json`, `assert`, `coroutines` (async), `modules` (require), `process` (env, log, print)

#![allow(unsafe_code)]

pub(crate) mod assert;
pub(crate) mod bridge;
pub(crate) mod confine;
pub(crate) mod coroutines;
pub(crate) mod errors;
pub(crate) mod heap;
pub(crate) mod host;
pub(crate) mod interrupt;
pub(crate) mod json;
pub(crate) mod modules;
pub(crate) mod native;
pub(crate) mod object;
mod pattern;
pub(crate) mod process;
pub(crate) mod state;
pub(crate) mod stoppable;
pub(crate) mod task;

pub(crate) use mlua_sys as ffi;
pub(crate) use mlua_sys::lua_State;
