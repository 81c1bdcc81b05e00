//! The error record as a Lua value: a table with `kind`, `message`, `hint`, `status`, `source`, and a
//! metatable for `tostring`. And back, for what scripts raise.

use std::ffi::{CStr, c_int};

use assay_plugin::abi::{Val, ValU, tag};
use assay_plugin::{Arena, Error, IntoVal, Kind, MAX_DEPTH, View};

use super::bridge::{self, Bound};
use super::state::{Stop, Vm};
use super::{ffi, lua_State, object};

/// Lua's own message for a failed allocation.
pub(crate) const NO_MEMORY: &CStr = c"not enough memory";

/// The registry's key of the metatable of errors.
static ERROR: u8 = 0;

/// Makes the metatable. Raises on lack of memory.
pub(crate) unsafe fn install(state: *mut lua_State) {
    // SAFETY: called protected, when the VM is made.
    unsafe {
        ffi::lua_createtable(state, 0, 3);
        ffi::lua_pushstring(state, c"error".as_ptr());
        ffi::lua_setfield(state, -2, c"__name".as_ptr());
        ffi::lua_pushcfunction(state, to_string);
        ffi::lua_setfield(state, -2, c"__tostring".as_ptr());
        ffi::lua_pushcfunction(state, concat);
        ffi::lua_setfield(state, -2, c"__concat".as_ptr());
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, (&raw const ERROR).cast());
    }
}

unsafe extern "C-unwind" fn to_string(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the error, or with anything by hand.
    unsafe {
        if ffi::lua_istable(state, 1) != 0 {
            ffi::lua_pushstring(state, c"message".as_ptr());
            if ffi::lua_rawget(state, 1) == ffi::LUA_TSTRING {
                return 1;
            }
        }
        ffi::lua_pushstring(state, c"error".as_ptr());
    }
    1
}

/// Most scripts put a text of their own before what `pcall` gave them, which mostly is text, too.
unsafe extern "C-unwind" fn concat(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; owns nothing when a `__tostring` raises.
    unsafe {
        ffi::lua_settop(state, 2);
        ffi::luaL_tolstring(state, 1, std::ptr::null_mut());
        ffi::luaL_tolstring(state, 2, std::ptr::null_mut());
        ffi::lua_concat(state, 2);
    }
    1
}

/// Pushes the error table of a `tag::ERROR`, with the function's name before the message; or the
/// very value that a Lua function had raised, when it is that which comes back. Raises.
pub(crate) unsafe fn push_record(
    state: *mut lua_State,
    vm: &Vm,
    val: &Val,
    bound: Option<Bound>,
    depth: u32,
) {
    // SAFETY: the value is live; no frame here owns anything while Lua may raise.
    unsafe {
        bridge::room(state, depth);
        let pairs = val.u.l;
        for at in 0..val.len as usize {
            let value = &*pairs.add(2 * at + 1);
            if value.tag == tag::OBJECT
                && !value.u.o.is_null()
                && is(&*pairs.add(2 * at), b"value")
                && object::push_lua_value(state, vm, value.u.o)
            {
                return;
            }
        }
        ffi::lua_createtable(state, 0, 6);
        for at in 0..val.len as usize {
            let (key, value) = (&*pairs.add(2 * at), &*pairs.add(2 * at + 1));
            if value.tag == tag::NIL || is(key, b"value") {
                continue;
            }
            bridge::push_nested(state, vm, key, None, depth - 1);
            match (is(key, b"message"), bound) {
                (true, Some(bound)) => {
                    push_name(state, bound);
                    ffi::lua_pushstring(state, c": ".as_ptr());
                    bridge::push_nested(state, vm, value, None, depth - 1);
                    ffi::lua_concat(state, 3);
                }
                _ => bridge::push_nested(state, vm, value, None, depth - 1),
            }
            ffi::lua_rawset(state, -3);
        }
        push_source(state);
        if ffi::lua_isnil(state, -1) == 0 {
            ffi::lua_setfield(state, -2, c"source".as_ptr());
        } else {
            ffi::lua_pop(state, 1);
        }
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, (&raw const ERROR).cast());
        ffi::lua_setmetatable(state, -2);
    }
}

unsafe fn is(key: &Val, name: &[u8]) -> bool {
    // SAFETY: the tag says that it is a string; of no bytes, it may be null.
    key.tag == tag::STR
        && key.len as usize == name.len()
        && unsafe { !key.u.s.is_null() && std::slice::from_raw_parts(key.u.s, name.len()) == name }
}

unsafe fn push_name(state: *mut lua_State, bound: Bound) {
    // SAFETY: descriptions are statics.
    unsafe {
        let (owner, name) = (*bound.owner, (*bound.desc).name);
        ffi::lua_pushlstring(state, owner.ptr.cast(), owner.len);
        if name.bytes() == b"__call" {
            return;
        }
        ffi::lua_pushstring(
            state,
            if bound.method {
                c":".as_ptr()
            } else {
                c".".as_ptr()
            },
        );
        ffi::lua_pushlstring(state, name.ptr.cast(), name.len);
        ffi::lua_concat(state, 3);
    }
}

/// Finds the innermost Lua function that runs. Neither owns nor raises anything.
pub(crate) unsafe fn find_line(state: *mut lua_State) -> Option<ffi::lua_Debug> {
    // SAFETY: `lua_getstack` fills what `lua_getinfo` reads.
    unsafe {
        let mut info: ffi::lua_Debug = std::mem::zeroed();
        for level in 0..32 {
            if ffi::lua_getstack(state, level, &mut info) == 0 {
                break;
            }
            ffi::lua_getinfo(state, c"Sl".as_ptr(), &mut info);
            if info.currentline > 0 {
                return Some(info);
            }
        }
        None
    }
}

/// Pushes `file:line` of the innermost Lua function, or nil.
unsafe fn push_source(state: *mut lua_State) {
    // SAFETY: an open state with room; what is found is plain data.
    unsafe {
        match find_line(state) {
            Some(info) => {
                ffi::lua_pushfstring(
                    state,
                    c"%s:%d".as_ptr(),
                    info.short_src.as_ptr(),
                    info.currentline,
                );
            }
            None => ffi::lua_pushnil(state),
        }
    }
}

/// Pushes an error of ours. Never raises; for lack of memory a string takes its place.
pub(crate) unsafe fn push(state: *mut lua_State, vm: &Vm, error: &Error, bound: Option<Bound>) {
    let mut arena = Arena::default();
    let val = error.to_val(&mut arena).unwrap_or(Val::NIL);
    // SAFETY: the caller's promise of an open state; the arena lives through it.
    unsafe { bridge::push_protected(state, vm, &val, bound) };
}

/// Replaces what a failed `lua_pcall` of ours left on top by an error table.
pub(crate) unsafe fn replace_failure(
    state: *mut lua_State,
    vm: &Vm,
    status: c_int,
    bound: Option<Bound>,
) {
    // SAFETY: the message is on top.
    unsafe {
        let mut len = 0;
        let text = ffi::lua_tolstring(state, -1, &mut len);
        if text.is_null() {
            return;
        }
        let short = status == ffi::LUA_ERRMEM || CStr::from_ptr(text) == NO_MEMORY;
        if short && bound.is_none() {
            // No memory for a table either: the text stays.
            return;
        }
        if let (true, Some(bound)) = (short, bound) {
            ffi::lua_pop(state, 1);
            return push(state, vm, &out_of_memory(vm).context(bound.name()), None);
        }
        let text = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), len))
            .into_owned();
        ffi::lua_pop(state, 1);
        push(state, vm, &Error::new("value", text), bound);
    }
}

/// The error that the memory limit raises, with the way out.
pub(crate) fn out_of_memory(vm: &Vm) -> Error {
    let limit = vm.inner().limit.get();
    Error::new(
        "memory",
        format!(
            "not enough memory (the limit is {})",
            crate::vm::display_size(limit)
        ),
    )
    .hint(format!(
        "raise it: --memory-limit={}",
        crate::vm::display_size(limit.saturating_mul(2))
    ))
}

/// The error that the hook raises.
pub(crate) fn stopped(vm: &Vm, reason: Stop) -> Error {
    match reason {
        Stop::Timeout => {
            let seconds = vm.config.timeout.unwrap_or_default().as_secs_f64();
            Error::new("timeout", format!("the script ran longer than {seconds} s"))
                .hint("raise the limit: --timeout=SECONDS")
        }
        Stop::Instructions => {
            let limit = vm.config.instruction_limit.unwrap_or_default();
            Error::new(
                "instructions",
                format!("the script took more than {limit} instructions"),
            )
            .hint("raise the limit: --instruction-limit=NUMBER")
        }
        Stop::Exit => Error::new("exit", "the script called os.exit"),
        _ => Error::new("interrupted", "the script was asked to end"),
    }
}

/// What was raised, read off the stack at an absolute index: the record, and for values that are not
/// errors of ours a handle to the value itself, so that it survives the way through a plugin.
pub(crate) unsafe fn to_val(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
    traceback: Option<&str>,
    arena: &mut Arena,
) -> Val {
    // SAFETY: an open state; the value is on the stack.
    unsafe {
        let origin = object::keep_lua_value(state, vm, index);
        let mut pairs: Vec<(&'static str, Box<dyn IntoVal>)> = Vec::with_capacity(6);
        match read(state, vm, index) {
            Raised::Record(record) => pairs.extend(
                record
                    .into_iter()
                    .map(|(key, value)| (key, Box::new(value) as Box<dyn IntoVal>)),
            ),
            Raised::Message(message) => {
                pairs.push(("kind", Box::new("error")));
                pairs.push(("message", Box::new(message)));
            }
        }
        if let Some(traceback) = traceback {
            pairs.push(("traceback", Box::new(traceback.to_owned())));
        }
        if let Some(origin) = origin {
            pairs.push(("value", Box::new(origin)));
        }
        let mut values = Vec::with_capacity(2 * pairs.len());
        for (key, value) in pairs {
            values.push(arena.own(Box::new(key)).unwrap_or(Val::NIL));
            values.push(arena.own(value).unwrap_or(Val::NIL));
        }
        let len = (values.len() / 2) as u32;
        Val {
            tag: tag::ERROR,
            len,
            u: ValU {
                l: arena.values(values),
            },
        }
    }
}

/// What a raised value says.
pub(crate) enum Raised {
    /// An error table: its fields.
    Record(Vec<(&'static str, assay_plugin::Value)>),
    /// Anything else, as text.
    Message(String),
}

const FIELDS: [&str; 6] = ["kind", "message", "hint", "status", "source", "traceback"];

pub(crate) unsafe fn read(state: *mut lua_State, vm: &Vm, index: c_int) -> Raised {
    // SAFETY: an open state; the value is on the stack.
    unsafe {
        let scratch = vm.inner().scratch.get();
        let mark = (*scratch).mark();
        let raised = match ffi::lua_type(state, index) {
            ffi::LUA_TTABLE => read_table(state, vm, index),
            ffi::LUA_TSTRING => Raised::Message(text(state, index)),
            _ => Raised::Message(format!("error value: {}", describe(state, index))),
        };
        (*scratch).reset(mark);
        raised
    }
}

unsafe fn read_table(state: *mut lua_State, vm: &Vm, index: c_int) -> Raised {
    // SAFETY: as `read`'s.
    unsafe {
        if let Ok(val) = bridge::to_val(state, vm, index, MAX_DEPTH) {
            let view = View::new(&val);
            if view
                .get("message")
                .is_some_and(|message| message.as_bytes().is_some())
            {
                let fields = FIELDS.iter().filter_map(|&field| {
                    let value = view.get(field)?.to_value().ok()?;
                    Some((field, value))
                });
                return Raised::Record(fields.collect());
            }
            if has_tostring(state, index) {
                return Raised::Message(describe(state, index));
            }
            return Raised::Message(format!("error value: {}", show(view, 3)));
        }
        Raised::Message(format!("error value: {}", describe(state, index)))
    }
}

unsafe fn has_tostring(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: as `read`'s.
    unsafe {
        let found = ffi::luaL_getmetafield(state, index, c"__tostring".as_ptr()) != ffi::LUA_TNIL;
        if found {
            ffi::lua_pop(state, 1);
        }
        found
    }
}

unsafe fn text(state: *mut lua_State, index: c_int) -> String {
    let mut len = 0;
    // SAFETY: a string is at the index.
    unsafe {
        let bytes = ffi::lua_tolstring(state, index, &mut len);
        String::from_utf8_lossy(std::slice::from_raw_parts(bytes.cast::<u8>(), len)).into_owned()
    }
}

unsafe extern "C-unwind" fn tostring_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected, with one argument.
    unsafe { ffi::luaL_tolstring(state, 1, std::ptr::null_mut()) };
    1
}

/// `tostring(value)`, protected: `__tostring` may be a script's.
pub(crate) unsafe fn describe(state: *mut lua_State, index: c_int) -> String {
    // SAFETY: an open state; the value is at an absolute index.
    unsafe {
        if ffi::lua_checkstack(state, 4) == 0 {
            return "?".into();
        }
        ffi::lua_pushcfunction(state, tostring_job);
        ffi::lua_pushvalue(state, index);
        let status = ffi::lua_pcall(state, 1, 1, 0);
        let result = if status == ffi::LUA_OK {
            text(state, ffi::lua_gettop(state))
        } else {
            let name = ffi::lua_typename(state, ffi::lua_type(state, index));
            CStr::from_ptr(name).to_string_lossy().into_owned()
        };
        ffi::lua_pop(state, 1);
        result
    }
}

/// How many bytes of a file's name Lua keeps in messages, behind `...`: `LUA_IDSIZE` without the dots
/// and the zero.
const SHORT: usize = 56;

/// Puts the full name of a file where Lua cut it, so that messages name files that can be opened.
pub(crate) fn with_full_name(text: String, file: &str) -> String {
    match file
        .len()
        .checked_sub(SHORT)
        .and_then(|start| file.get(start..))
    {
        Some(tail) if file.len() > SHORT + 3 && text.contains("...") => {
            text.replace(&format!("...{tail}"), file)
        }
        _ => text,
    }
}

/// As [`with_full_name`], for every file whose functions are on a thread's stack.
pub(crate) unsafe fn with_full_names(state: *mut lua_State, mut text: String) -> String {
    if !text.contains("...") {
        return text;
    }
    // SAFETY: an open state; `lua_getstack` fills what `lua_getinfo` reads.
    unsafe {
        let mut info: ffi::lua_Debug = std::mem::zeroed();
        // Deep recursions are of few files: what a traceback shows is enough.
        for level in 0..64 {
            if ffi::lua_getstack(state, level, &mut info) == 0 {
                break;
            }
            ffi::lua_getinfo(state, c"S".as_ptr(), &mut info);
            let source = CStr::from_ptr(info.source).to_string_lossy();
            if let Some(file) = source.strip_prefix('@') {
                text = with_full_name(text, file);
            }
        }
    }
    text
}

/// A value as Lua source, shortened: for messages.
pub(crate) fn show(view: View<'_>, depth: usize) -> String {
    match view.kind() {
        Ok(Kind::Nil) => "nil".into(),
        Ok(Kind::Null) => "null".into(),
        Ok(Kind::Bool(bool)) => bool.to_string(),
        Ok(Kind::Int(int)) => int.to_string(),
        Ok(Kind::Float(float)) => format!("{float:?}"),
        Ok(Kind::Str(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            let short: String = text.chars().take(200).collect();
            let more = if short.len() < text.len() { "..." } else { "" };
            format!("\"{}\"{more}", short.escape_debug())
        }
        Ok(Kind::List(_) | Kind::Map(_)) if depth == 0 => "{...}".into(),
        Ok(Kind::List(items)) => {
            let count = items.len();
            let mut parts: Vec<_> = items.take(20).map(|item| show(item, depth - 1)).collect();
            if count > 20 {
                parts.push(format!("... {} more", count - 20));
            }
            format!("{{{}}}", parts.join(", "))
        }
        Ok(Kind::Map(pairs) | Kind::Error(pairs)) => {
            let count = pairs.len();
            let mut parts: Vec<_> = pairs
                .map(|(key, value)| {
                    let name = match key.as_bytes().map(String::from_utf8_lossy) {
                        Some(name) if is_identifier(&name) => name.into_owned(),
                        _ => format!("[{}]", show(key, 1)),
                    };
                    format!("{name} = {}", show(value, depth - 1))
                })
                .collect();
            crate::order::by_name(&mut parts, |part| part.as_bytes());
            if count > 20 {
                parts.truncate(20);
                parts.push(format!("... {} more", count - 20));
            }
            format!("{{{}}}", parts.join(", "))
        }
        _ => view.type_name().into(),
    }
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
