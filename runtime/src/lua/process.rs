//! Builtins about the process: `env`, `log`, `print`, and what of `io` and `os` must go through the VM.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;

use assay_plugin::abi::level;
use assay_plugin::{Error, MAX_DEPTH, View};

use super::native::{Frame, Native};
use super::state::{Stop, Vm};
use super::{bridge, errors, ffi, lua_State, native};

pub(crate) static ENV: &[Native] = &[
    Native {
        family: "env",
        name: c"get",
        run: env_get,
    },
    Native {
        family: "env",
        name: c"set",
        run: env_set,
    },
    Native {
        family: "env",
        name: c"list",
        run: env_list,
    },
];

pub(crate) static LOG: &[Native] = &[
    Native {
        family: "log",
        name: c"debug",
        run: log_at::<{ level::DEBUG }>,
    },
    Native {
        family: "log",
        name: c"info",
        run: log_at::<{ level::INFO }>,
    },
    Native {
        family: "log",
        name: c"warn",
        run: log_at::<{ level::WARN }>,
    },
    Native {
        family: "log",
        name: c"error",
        run: log_at::<{ level::ERROR }>,
    },
];

static PRINT: Native = Native {
    family: "",
    name: c"print",
    run: |_| Ok(0),
};
pub(crate) static GETENV: Native = Native {
    family: "os",
    name: c"getenv",
    run: env_get,
};
pub(crate) static EXIT: Native = Native {
    family: "os",
    name: c"exit",
    run: exit,
};
static WRITE: Native = Native {
    family: "io",
    name: c"write",
    run: |_| Ok(0),
};

fn name<'a>(frame: &Frame<'a>) -> Result<&'a [u8], Error> {
    let name = frame.bytes(1)?;
    if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
        return Err(Error::argument(format!(
            "argument 1: `{}` cannot be the name of a variable",
            String::from_utf8_lossy(name).escape_debug()
        )));
    }
    frame.vm.require("env", &String::from_utf8_lossy(name))?;
    Ok(name)
}

unsafe fn env_get(frame: &Frame<'_>) -> Result<c_int, Error> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let name = name(frame)?;
    let overlay = frame.vm.inner().environment.borrow().get(name).cloned();
    let value = overlay.unwrap_or_else(|| {
        std::env::var_os(std::ffi::OsStr::from_bytes(name)).map(OsStringExt::into_vec)
    });
    match value {
        Some(value) => frame.push_bytes(&value)?,
        // SAFETY: room for 16 values.
        None => unsafe { ffi::lua_pushnil(frame.state) },
    }
    Ok(1)
}

unsafe fn env_set(frame: &Frame<'_>) -> Result<c_int, Error> {
    let name = name(frame)?;
    let value = match frame.is_none_or_nil(2) {
        true => None,
        false => Some(frame.bytes(2)?.to_vec()),
    };
    if value.as_ref().is_some_and(|value| value.contains(&0)) {
        return Err(Error::argument("argument 2: the value has a zero byte"));
    }
    frame
        .vm
        .inner()
        .environment
        .borrow_mut()
        .insert(name.to_vec(), value);
    Ok(0)
}

unsafe fn env_list(frame: &Frame<'_>) -> Result<c_int, Error> {
    use assay_plugin::Value;
    use std::os::unix::ffi::OsStringExt;
    let overlay = frame.vm.inner().environment.borrow();
    let inherited = std::env::vars_os()
        .map(|(name, value)| (name.into_vec(), value.into_vec()))
        .filter(|(name, _)| !overlay.contains_key(name));
    let set = overlay
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let allowed = |name: &[u8]| {
        frame
            .vm
            .config
            .policy
            .allows("env", &String::from_utf8_lossy(name))
    };
    let map = Value::Map(
        inherited
            .chain(set)
            .filter(|(name, _)| allowed(name))
            .map(|(name, value)| (Value::Bytes(name), Value::Bytes(value)))
            .collect(),
    );
    // SAFETY: the frame's state.
    match unsafe { bridge::push_value(frame.state, frame.vm, &map, None) } {
        true => Ok(1),
        false => Err(errors::out_of_memory(frame.vm)),
    }
}

unsafe fn log_at<const LEVEL: u32>(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's.
    unsafe { log(frame, LEVEL) }
}

/// Whether the output limit has room for what the arguments hold: a log line never fails the job, so
/// what is too much is left out, and said once.
fn may_log(frame: &Frame<'_>) -> bool {
    let vm = frame.vm;
    if vm.config.output_limit.is_none() {
        return true;
    }
    // Tables count by what a line takes at least.
    let length = frame.bytes(1).map_or(64, <[u8]>::len) + 64;
    let fits = vm.may_write(length);
    if !fits && !vm.inner().silenced.replace(true) {
        let message = "the output limit is reached: later log lines are left out";
        vm.config.log.write(level::WARN, message, None);
    }
    fits
}

/// Any value is a message, any table fields: a log line never fails the job.
unsafe fn log(frame: &Frame<'_>, level: u32) -> Result<c_int, Error> {
    let log = &frame.vm.config.log;
    if level < log.level || !may_log(frame) {
        return Ok(0);
    }
    // SAFETY: the frame's state; views are read before anything else runs.
    unsafe {
        let message = match ffi::lua_type(frame.state, 1) {
            ffi::LUA_TNONE => String::new(),
            ffi::LUA_TTABLE => match errors::read(frame.state, frame.vm, 1) {
                errors::Raised::Record(fields) => crate::Error::from_fields(fields).to_string(),
                errors::Raised::Message(message) => message
                    .strip_prefix("error value: ")
                    .map_or(message.clone(), Into::into),
            },
            _ => errors::describe(frame.state, 1),
        };
        let scratch = frame.vm.inner().scratch.get();
        let mark = (*scratch).mark();
        let fields = match frame.is_none_or_nil(2) {
            true => Ok(None),
            false => bridge::to_val(frame.state, frame.vm, 2, MAX_DEPTH).map(Some),
        };
        match fields {
            Ok(val) => log.write(level, &message, val.as_ref().map(|val| View::new(val))),
            Err(_) => {
                let shown = errors::describe(frame.state, 2);
                log.write(level, &format!("{message} {shown}"), None);
            }
        }
        (*scratch).reset(mark);
    }
    Ok(0)
}

/// Pushes `print`: as Lua's, through the VM's output. Raises.
pub(crate) unsafe fn push_print(state: *mut lua_State, vm: &Vm) {
    // SAFETY: an open state with room.
    unsafe {
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_pushcclosure(state, print, 1);
    }
}

unsafe extern "C-unwind" fn print(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a `__tostring` may raise, and nothing is owned then.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let nargs = ffi::lua_gettop(state);
        ffi::luaL_checkstack(state, 2 * nargs + 16, std::ptr::null());
        for at in 1..=nargs {
            if at > 1 {
                ffi::lua_pushstring(state, c"\t".as_ptr());
            }
            ffi::luaL_tolstring(state, at, std::ptr::null_mut());
        }
        ffi::lua_pushstring(state, c"\n".as_ptr());
        ffi::lua_concat(state, ffi::lua_gettop(state) - nargs);
        if let Err(error) = write_all(state, vm, nargs + 1, nargs + 1) {
            native::fail(state, vm, &PRINT, error);
            ffi::lua_error(state);
        }
    }
    0
}

fn output(vm: &Vm, bytes: &[u8]) -> Result<(), Error> {
    if !vm.may_write(bytes.len()) {
        let limit = vm.config.output_limit.unwrap_or_default();
        let limit = crate::vm::display_size(usize::try_from(limit).unwrap_or(usize::MAX));
        return Err(Error::new(
            "limit",
            format!("the script may write {limit}, and no more"),
        )
        .hint("raise the limit: --output-limit=SIZE"));
    }
    (vm.config.output)(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::new("closed_output", "the output was closed"),
        _ => Error::new("io", format!("cannot write to the output: {error}")),
    })
}

/// `os.exit(code?)`: ends this VM's run, not the process, which may be a host's.
unsafe fn exit(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's state.
    let code = unsafe {
        match ffi::lua_type(frame.state, 1) {
            ffi::LUA_TNONE | ffi::LUA_TNIL => 0,
            ffi::LUA_TBOOLEAN => i64::from(ffi::lua_toboolean(frame.state, 1) == 0),
            _ if ffi::lua_isinteger(frame.state, 1) != 0 => {
                ffi::lua_tointegerx(frame.state, 1, std::ptr::null_mut())
            }
            _ => return Err(frame.expected(1, "integer or boolean")),
        }
    };
    frame.vm.inner().exit_code.set(code as i32);
    if matches!(frame.vm.stop_reason(), Stop::None | Stop::Shutdown) {
        frame.vm.request_stop(Stop::Exit);
    }
    // SAFETY: the frame's state; a `pcall` around the call must not go on.
    unsafe { crate::vm::stop_now(frame.state) };
    Err(errors::stopped(frame.vm, Stop::Exit))
}

/// Has `io.write` and the method `write` of files go through the VM's output where the file is
/// standard output: in order with `print`, and never past a host that takes the output. Raises.
pub(crate) unsafe fn install_write(state: *mut lua_State, vm: &Vm) {
    // SAFETY: called protected, when the VM is made.
    unsafe {
        ffi::lua_getglobal(state, c"io".as_ptr());
        let io = ffi::lua_gettop(state);
        for method in [false, true] {
            if method {
                ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"FILE*".as_ptr());
                ffi::lua_getfield(state, -1, c"__index".as_ptr());
            } else {
                ffi::lua_pushvalue(state, io);
            }
            ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
            ffi::lua_getfield(state, -2, c"write".as_ptr());
            ffi::lua_getfield(state, io, c"stdout".as_ptr());
            ffi::lua_pushboolean(state, c_int::from(method));
            ffi::lua_pushcclosure(state, write, 4);
            ffi::lua_setfield(state, -2, c"write".as_ptr());
        }
        ffi::lua_settop(state, io - 1);
    }
}

unsafe extern "C-unwind" fn write(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `install_write`, called by Lua; owns nothing where it may raise.
    unsafe {
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let method = ffi::lua_toboolean(state, ffi::lua_upvalueindex(4)) != 0;
        let last = ffi::lua_gettop(state);
        if method {
            ffi::lua_pushvalue(state, 1);
        } else {
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"_IO_output".as_ptr());
        }
        let ours = ffi::lua_rawequal(state, -1, ffi::lua_upvalueindex(3)) != 0;
        ffi::lua_pop(state, 1);
        if !ours {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
            ffi::lua_insert(state, 1);
            ffi::lua_call(state, last, ffi::LUA_MULTRET);
            return ffi::lua_gettop(state);
        }
        if let Err(error) = write_all(state, vm, 1 + c_int::from(method), last) {
            native::fail(state, vm, &WRITE, error);
            ffi::lua_error(state);
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(3));
    }
    1
}

/// Writes strings and numbers, all of them or none. Does not raise.
unsafe fn write_all(
    state: *mut lua_State,
    vm: &Vm,
    first: c_int,
    last: c_int,
) -> Result<(), Error> {
    let frame = Frame {
        state,
        vm,
        nargs: last,
    };
    let mut bytes = Vec::new();
    for at in first..=last {
        // SAFETY: the frame's state.
        let number = unsafe {
            (ffi::lua_type(state, at) == ffi::LUA_TNUMBER).then(|| errors::describe(state, at))
        };
        match number {
            Some(number) => bytes.extend_from_slice(number.as_bytes()),
            None => bytes.extend_from_slice(frame.bytes(at).map_err(|_| {
                Error::argument(format!(
                    "argument {}: expected string or number, got {}",
                    at - first + 1,
                    frame.type_name(at)
                ))
            })?),
        }
    }
    output(vm, &bytes)
}

/// Has Lua's warnings logged: those of `warn`, and errors of finalizers.
pub(crate) unsafe fn install_warn(state: *mut lua_State, vm: &Vm) {
    // SAFETY: an open state, which the VM outlives.
    unsafe { ffi::lua_setwarnf(state, Some(warn), std::ptr::from_ref(vm).cast_mut().cast()) }
}

unsafe extern "C-unwind" fn warn(vm: *mut c_void, piece: *const c_char, more: c_int) {
    // SAFETY: called by Lua on the VM's thread, with what `install_warn` gave and a text.
    let (vm, piece) = unsafe { (&*vm.cast::<Vm>(), CStr::from_ptr(piece).to_bytes()) };
    let inner = vm.inner();
    let mut warning = inner.warning.borrow_mut();
    if warning.is_empty() && more == 0 && piece.starts_with(b"@") {
        match piece {
            b"@on" => inner.unwarned.set(false),
            b"@off" => inner.unwarned.set(true),
            _ => {}
        }
        return;
    }
    warning.extend_from_slice(piece);
    if more == 0 {
        let message = std::mem::take(&mut *warning);
        if !inner.unwarned.get() && vm.may_write(message.len() + 64) {
            let message = String::from_utf8_lossy(&message);
            vm.config.log.write(level::WARN, &message, None);
        }
    }
}

/// Standard output, unbuffered between lines as scripts expect it from jobs.
pub(crate) fn to_stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
