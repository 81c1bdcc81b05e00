//! Builtins about the process: `env`, `log`, `print`.

use std::ffi::c_int;
use std::io::Write;

use assay_plugin::abi::level;
use assay_plugin::{Error, MAX_DEPTH, View};

use super::native::{Frame, Native};
use super::{bridge, errors, ffi};

pub(crate) static ENV: &[Native] = &[
    Native { family: "env", name: c"get", run: env_get },
    Native { family: "env", name: c"set", run: env_set },
    Native { family: "env", name: c"list", run: env_list },
];

pub(crate) static LOG: &[Native] = &[
    Native { family: "log", name: c"debug", run: |frame| unsafe { log(frame, level::DEBUG) } },
    Native { family: "log", name: c"info", run: |frame| unsafe { log(frame, level::INFO) } },
    Native { family: "log", name: c"warn", run: |frame| unsafe { log(frame, level::WARN) } },
    Native { family: "log", name: c"error", run: |frame| unsafe { log(frame, level::ERROR) } },
];

pub(crate) static PRINT: Native = Native { family: "", name: c"print", run: print };
pub(crate) static GETENV: Native = Native { family: "os", name: c"getenv", run: env_get };

fn name<'a>(frame: &Frame<'a>) -> Result<&'a [u8], Error> {
    let name = frame.bytes(1)?;
    if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
        return Err(Error::argument(format!(
            "argument 1: `{}` cannot be the name of a variable",
            String::from_utf8_lossy(name).escape_debug()
        )));
    }
    let text = String::from_utf8_lossy(name);
    if !(frame.vm.config.allowed)("env", &text) {
        return Err(Error::new("permission", format!("not allowed: env {text}")).hint(format!("--allow-env={text}")));
    }
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
    frame.vm.inner().environment.borrow_mut().insert(name.to_vec(), value);
    Ok(0)
}

unsafe fn env_list(frame: &Frame<'_>) -> Result<c_int, Error> {
    use assay_plugin::Value;
    use std::os::unix::ffi::OsStringExt;
    let mut variables: std::collections::BTreeMap<Vec<u8>, Vec<u8>> =
        std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    for (name, value) in &*frame.vm.inner().environment.borrow() {
        match value {
            Some(value) => variables.insert(name.clone(), value.clone()),
            None => variables.remove(name),
        };
    }
    variables.retain(|name, _| (frame.vm.config.allowed)("env", &String::from_utf8_lossy(name)));
    let map = Value::Map(
        variables.into_iter().map(|(name, value)| (Value::Bytes(name), Value::Bytes(value))).collect(),
    );
    // SAFETY: the frame's state.
    match unsafe { bridge::push_value(frame.state, frame.vm, &map, None) } {
        true => Ok(1),
        false => Err(errors::out_of_memory(frame.vm)),
    }
}

/// Any value is a message, any table fields: a log line never fails the job.
unsafe fn log(frame: &Frame<'_>, level: u32) -> Result<c_int, Error> {
    let log = &frame.vm.config.log;
    if level < log.level {
        return Ok(0);
    }
    // SAFETY: the frame's state; views are read before anything else runs.
    unsafe {
        let message = match ffi::lua_type(frame.state, 1) {
            ffi::LUA_TNONE => String::new(),
            ffi::LUA_TTABLE => match errors::read(frame.state, frame.vm, 1) {
                errors::Raised::Record(fields) => crate::Error::from_fields(fields).message,
                errors::Raised::Message(message) => {
                    message.strip_prefix("error value: ").map_or(message.clone(), Into::into)
                }
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

/// As Lua's, through the VM's output.
unsafe fn print(frame: &Frame<'_>) -> Result<c_int, Error> {
    let mut line = Vec::new();
    for at in 1..=frame.nargs {
        if at > 1 {
            line.push(b'\t');
        }
        // SAFETY: the frame's state.
        unsafe {
            if ffi::lua_type(frame.state, at) == ffi::LUA_TSTRING {
                line.extend_from_slice(frame.bytes(at)?);
            } else {
                line.extend_from_slice(errors::describe(frame.state, at).as_bytes());
            }
        }
    }
    line.push(b'\n');
    (frame.vm.config.output)(&line).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::new("closed_output", "the output was closed"),
        _ => Error::new("io", format!("cannot write to the output: {error}")),
    })?;
    Ok(0)
}

/// Standard output, unbuffered between lines as scripts expect it from jobs.
pub(crate) fn to_stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
