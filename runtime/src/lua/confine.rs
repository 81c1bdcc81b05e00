//! Lua's own library where a script may not do everything.
//!
//! - A script with permissions keeps the library; what opens files or starts programs asks first, only
//!   text is compiled, and of `debug` what looks is left.
//! - A sandboxed script keeps what is on a list and nothing else. The list is applied last, to the
//!   globals and to everything that `require` remembers.

use std::ffi::{CStr, c_int, c_void};

use assay_plugin::Error;

use super::native::{self, Native};
use super::state::Vm;
use super::{ffi, lua_State};

/// The globals of a sandbox that are tables get these fields, all of theirs where none is listed.
const SANDBOX: &[(&CStr, &[&CStr])] = &[
    (c"_G", &[]),
    (c"_VERSION", &[]),
    (c"assert", &[]),
    (c"error", &[]),
    (c"getmetatable", &[]),
    (c"ipairs", &[]),
    (c"load", &[]),
    (c"next", &[]),
    (c"pairs", &[]),
    (c"pcall", &[]),
    (c"print", &[]),
    (c"rawequal", &[]),
    (c"rawget", &[]),
    (c"rawlen", &[]),
    (c"rawset", &[]),
    (c"select", &[]),
    (c"setmetatable", &[]),
    (c"tonumber", &[]),
    (c"tostring", &[]),
    (c"type", &[]),
    (c"xpcall", &[]),
    (c"coroutine", &[]),
    (c"math", &[]),
    (
        c"os",
        &[c"clock", c"date", c"difftime", c"exit", c"getenv", c"time"],
    ),
    (
        c"string",
        &[
            c"byte",
            c"char",
            c"find",
            c"format",
            c"gmatch",
            c"gsub",
            c"len",
            c"lower",
            c"match",
            c"pack",
            c"packsize",
            c"rep",
            c"reverse",
            c"sub",
            c"unpack",
            c"upper",
        ],
    ),
    (c"table", &[]),
    (c"utf8", &[]),
    (c"base64", &[]),
    (c"env", &[]),
    (c"json", &[]),
    (c"log", &[]),
    (c"sleep", &[]),
    (c"time", &[]),
];

/// What of `debug` only looks.
const DEBUG: &[&CStr] = &[c"getinfo", c"traceback"];

/// Changes the globals to what the VM's policy says. Raises on lack of memory; owns nothing.
///
/// # Safety
/// Called protected, after everything else was installed.
pub(crate) unsafe fn install(state: *mut lua_State, vm: &Vm) {
    let policy = &vm.config.policy;
    if policy.is_everything() {
        return;
    }
    // SAFETY: the caller's promise.
    unsafe {
        for guard in GUARDS {
            ffi::lua_getglobal(state, guard.table.as_ptr());
            if ffi::lua_getfield(state, -1, guard.name.as_ptr()) == ffi::LUA_TFUNCTION
                && let Some(function) = ffi::lua_tocfunction(state, -1)
            {
                ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
                ffi::lua_pushlightuserdata(state, std::ptr::from_ref(guard).cast_mut().cast());
                ffi::lua_pushlightuserdata(state, function as *mut c_void);
                ffi::lua_pushcclosure(state, guarded, 3);
                ffi::lua_setfield(state, -3, guard.name.as_ptr());
            }
            ffi::lua_settop(state, -3);
        }
        ffi::lua_getglobal(state, c"debug".as_ptr());
        keep(state, DEBUG);
        ffi::lua_pop(state, 1);
        ffi::lua_getglobal(state, c"package".as_ptr());
        for name in [c"loadlib", c"searchpath"] {
            ffi::lua_pushnil(state);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_pop(state, 1);
        if policy.is_sandboxed() {
            sandbox(state, vm);
        }
    }
}

unsafe fn sandbox(state: *mut lua_State, vm: &Vm) {
    let policy = &vm.config.policy;
    // SAFETY: as `install`'s.
    unsafe {
        ffi::lua_createtable(state, 0, SANDBOX.len() as c_int + 8);
        let fresh = ffi::lua_gettop(state);
        for (name, fields) in SANDBOX {
            ffi::lua_getglobal(state, name.as_ptr());
            if !fields.is_empty() {
                keep(state, fields);
            }
            ffi::lua_setfield(state, fresh, name.as_ptr());
        }
        if policy.opens("read") || policy.opens("write") {
            ffi::lua_getglobal(state, c"fs".as_ptr());
            ffi::lua_setfield(state, fresh, c"fs".as_ptr());
        }
        for family in vm.config.families.iter().map(|family| family.name.bytes()) {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
            ffi::lua_pushlstring(state, family.as_ptr().cast(), family.len());
            ffi::lua_pushvalue(state, -1);
            ffi::lua_rawget(state, -3);
            ffi::lua_rawset(state, fresh);
            ffi::lua_pop(state, 1);
        }
        crate::plugins::each(vm, |name| {
            if policy.allows("plugin", name) {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
                ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
                ffi::lua_pushvalue(state, -1);
                ffi::lua_rawget(state, -3);
                ffi::lua_rawset(state, fresh);
                ffi::lua_pop(state, 1);
            }
        });
        // The table of globals stays the one that it is, since compiled code refers to it.
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        clear(state);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, fresh) != 0 {
            ffi::lua_pushvalue(state, -2);
            ffi::lua_insert(state, -2);
            ffi::lua_rawset(state, -4);
        }
        ffi::lua_settop(state, fresh - 1);
        for table in [ffi::LUA_LOADED_TABLE, ffi::LUA_PRELOAD_TABLE] {
            ffi::luaL_getsubtable(state, ffi::LUA_REGISTRYINDEX, table);
            clear(state);
            ffi::lua_pop(state, 1);
        }
    }
}

/// Empties the table on top but for these fields.
unsafe fn keep(state: *mut lua_State, fields: &[&CStr]) {
    // SAFETY: as `install`'s; fields are set to nil while they are gone through, which Lua allows.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            ffi::lua_pop(state, 1);
            let kept = ffi::lua_type(state, -1) == ffi::LUA_TSTRING
                && fields.contains(&CStr::from_ptr(ffi::lua_tostring(state, -1)));
            if !kept {
                ffi::lua_pushvalue(state, -1);
                ffi::lua_pushnil(state);
                ffi::lua_rawset(state, -4);
            }
        }
    }
}

unsafe fn clear(state: *mut lua_State) {
    // SAFETY: as `keep`'s.
    unsafe { keep(state, &[]) }
}

/// A function of Lua's library that asks before it does what it does.
struct Guard {
    table: &'static CStr,
    name: &'static CStr,
    native: Native,
    /// Reads the arguments; must not raise.
    check: unsafe fn(&native::Frame<'_>) -> Result<(), Error>,
}

macro_rules! guards {
    ($($table:literal . $name:literal = $check:expr;)*) => {
        static GUARDS: &[Guard] = &[$(Guard {
            table: $table,
            name: $name,
            native: Native {
                family: match $table.to_bytes() { b"_G" => "", name => match std::str::from_utf8(name) {
                    Ok(name) => name,
                    Err(_) => "",
                } },
                name: $name,
                run: |_| Ok(0),
            },
            check: $check,
        }),*];
    };
}
guards! {
    c"io".c"open" = |frame| with_mode(frame, 2);
    c"io".c"lines" = |frame| path(frame, 1, "fs.read");
    c"io".c"input" = |frame| path(frame, 1, "fs.read");
    c"io".c"output" = |frame| path(frame, 1, "fs.write");
    c"io".c"popen" = |frame| program(frame);
    c"io".c"tmpfile" = |frame| temporary(frame);
    c"os".c"execute" = |frame| program(frame);
    c"os".c"remove" = |frame| path(frame, 1, "fs.write");
    c"os".c"rename" = |frame| path(frame, 1, "fs.write").and_then(|()| path(frame, 2, "fs.write"));
    c"os".c"tmpname" = |frame| temporary(frame);
    c"_G".c"dofile" = |frame| path(frame, 1, "fs.read").and_then(|()| text_file(frame));
    c"_G".c"loadfile" = |frame| path(frame, 1, "fs.read").and_then(|()| text_only(frame, 2));
    c"_G".c"load" = |frame| text_only(frame, 3);
    c"_G".c"setmetatable" = |frame| no_finalizer(frame);
}

unsafe extern "C-unwind" fn guarded(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `install`, called by Lua; nothing is owned when it raises or goes on. The
    // function was pushed without upvalues, and runs in this frame as in one of its own.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let guard = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Guard>();
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        if !may(state, vm, guard) {
            ffi::lua_error(state);
        }
        match guard.name.to_bytes() {
            b"load" if ffi::lua_type(state, 1) == ffi::LUA_TSTRING => load(state, vm),
            _ => original(state),
        }
    }
}

/// The function that the closure on top of the call stack guards.
unsafe fn original(state: *mut lua_State) -> c_int {
    // SAFETY: what `install` closed over.
    unsafe {
        let function = ffi::lua_touserdata(state, ffi::lua_upvalueindex(3));
        let function: ffi::lua_CFunction = std::mem::transmute(function);
        function(state)
    }
}

/// A text that `load` reads, piece by piece.
struct Text<'a> {
    vm: &'a Vm,
    rest: &'a [u8],
}

/// `load` of a string, which can be stopped: Lua's own reads all of it at once.
unsafe fn load(state: *mut lua_State, vm: &Vm) -> c_int {
    // SAFETY: called by Lua with a string at 1 and a mode at 3; owns nothing.
    unsafe {
        let mut len = 0;
        let text = ffi::lua_tolstring(state, 1, &mut len);
        let name = ffi::luaL_optstring(state, 2, text);
        let mut text = Text {
            vm,
            rest: std::slice::from_raw_parts(text.cast(), len),
        };
        let mode = ffi::lua_tostring(state, 3);
        let data = (&raw mut text).cast();
        if ffi::lua_load(state, read, data, name, mode) != ffi::LUA_OK {
            ffi::lua_pushnil(state);
            ffi::lua_insert(state, -2);
            return 2;
        }
        if ffi::lua_gettop(state) > 4 {
            ffi::lua_pushvalue(state, 4);
            if ffi::lua_setupvalue(state, -2, 1).is_null() {
                ffi::lua_pop(state, 1);
            }
        }
    }
    1
}

unsafe extern "C-unwind" fn read(
    state: *mut lua_State,
    data: *mut c_void,
    size: *mut usize,
) -> *const std::ffi::c_char {
    const PIECE: usize = 16 << 10;
    // SAFETY: the text of `load`, which is on its stack; `size` is Lua's.
    unsafe {
        let text = &mut *data.cast::<Text<'_>>();
        if text.vm.wants_stop() {
            ffi::luaL_error(state, c"the script was asked to end".as_ptr());
        }
        let (piece, rest) = text.rest.split_at(text.rest.len().min(PIECE));
        text.rest = rest;
        *size = piece.len();
        piece.as_ptr().cast()
    }
}

/// Whether the check passed; its error is on top if not.
unsafe fn may(state: *mut lua_State, vm: &Vm, guard: &Guard) -> bool {
    // SAFETY: as `guarded`'s.
    unsafe {
        let frame = native::Frame {
            state,
            vm,
            nargs: ffi::lua_gettop(state),
        };
        match (guard.check)(&frame) {
            Ok(()) => true,
            Err(error) => {
                native::fail(state, vm, &guard.native, error);
                false
            }
        }
    }
}

/// Asks for a path that is an argument; what is no string is the function's own affair.
fn path(frame: &native::Frame<'_>, index: c_int, permission: &str) -> Result<(), Error> {
    match frame.bytes(index) {
        Ok(path) => frame.vm.require(permission, &String::from_utf8_lossy(path)),
        Err(_) => Ok(()),
    }
}

fn with_mode(frame: &native::Frame<'_>, index: c_int) -> Result<(), Error> {
    let mode = frame.bytes(index).unwrap_or(b"r");
    if mode.first() == Some(&b'r') || mode.contains(&b'+') {
        path(frame, 1, "fs.read")?;
    }
    if mode.first() != Some(&b'r') || mode.contains(&b'+') {
        path(frame, 1, "fs.write")?;
    }
    Ok(())
}

/// A program may do what the script may not.
fn program(frame: &native::Frame<'_>) -> Result<(), Error> {
    let Ok(command) = frame.bytes(1) else {
        return Ok(());
    };
    let command = String::from_utf8_lossy(command);
    if frame.vm.config.policy.allows("run", &command) {
        return Ok(());
    }
    Err(
        Error::new("permission", format!("not allowed: run {command}")).hint(
            "a program has permissions of its own; only scripts that may do everything start any",
        ),
    )
}

fn temporary(frame: &native::Frame<'_>) -> Result<(), Error> {
    // Where Lua makes them.
    frame.vm.require("fs.write", "/tmp")
}

/// Has the mode at an index be text: bytecode that was tampered with can do anything.
fn text_only(frame: &native::Frame<'_>, index: c_int) -> Result<(), Error> {
    // SAFETY: there is room for 16 values; pushing a short string that the library holds already
    // takes no memory.
    unsafe {
        let state = frame.state;
        if frame.nargs < index {
            ffi::lua_settop(state, index);
        }
        match frame.bytes(index) {
            Ok(mode) if !mode.contains(&b'b') => {}
            Ok(b"b") => return Err(Error::argument("bytecode is not loaded here, only text")),
            _ => {
                ffi::lua_pushstring(state, c"t".as_ptr());
                ffi::lua_replace(state, index);
            }
        }
    }
    Ok(())
}

/// `dofile` takes no mode: bytecode is told by its first byte.
fn text_file(frame: &native::Frame<'_>) -> Result<(), Error> {
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = frame.bytes(1) else {
        return Ok(());
    };
    let mut first = [0];
    let read = fs_err::File::open(std::ffi::OsStr::from_bytes(path))
        .and_then(|mut file| file.read(&mut first));
    match (read, first) {
        (Ok(1), [0x1b]) => Err(Error::argument("bytecode is not loaded here, only text")),
        _ => Ok(()),
    }
}

/// Finalizers run where nothing can stop them.
fn no_finalizer(frame: &native::Frame<'_>) -> Result<(), Error> {
    if !frame.vm.config.policy.is_sandboxed() {
        return Ok(());
    }
    // SAFETY: there is room; a raw look, which cannot raise but for the name's memory, which Lua
    // itself holds.
    let finalizer = unsafe {
        ffi::lua_type(frame.state, 2) == ffi::LUA_TTABLE && {
            ffi::lua_pushstring(frame.state, c"__gc".as_ptr());
            let kind = ffi::lua_rawget(frame.state, 2);
            ffi::lua_pop(frame.state, 1);
            kind != ffi::LUA_TNIL
        }
    };
    match finalizer {
        true => Err(Error::new("permission", "not allowed: __gc")
            .hint("use a to-be-closed variable (`local x <close> = ...`)")),
        false => Ok(()),
    }
}
