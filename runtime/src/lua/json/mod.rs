//! `json`: between text and the Lua stack, with no tree between.
//!
//! RFC 8259, strictly: no comments, no trailing commas, one value. Integers are exact up to `i64`;
//! what does not fit raises instead of being rounded.

mod encode;
mod parse;
mod text;

use std::ffi::c_int;

use assay_plugin::Error;

use super::bridge::{ARRAY, OBJECT};
use super::native::{Frame, Native};
use super::state::Vm;
use super::{errors, ffi, lua_State};
pub(crate) use text::write_string;

/// How deep values may nest, both ways.
const MAX_DEPTH: usize = 256;

pub(crate) static FUNCTIONS: &[Native] = &[
    Native {
        family: "json",
        name: c"parse",
        run: parse::parse,
    },
    Native {
        family: "json",
        name: c"encode",
        run: encode::encode,
    },
    Native {
        family: "json",
        name: c"array",
        run: array,
    },
    Native {
        family: "json",
        name: c"object",
        run: object,
    },
];

/// Makes the marks, and what `json.null` looks like. Raises.
pub(crate) unsafe fn install(state: *mut lua_State) {
    unsafe extern "C-unwind" fn null(state: *mut lua_State) -> c_int {
        // SAFETY: called by Lua.
        unsafe {
            ffi::lua_pushstring(
                state,
                match ffi::lua_touserdata(state, 1).is_null() {
                    true => c"null".as_ptr(),
                    false => c"lightuserdata".as_ptr(),
                },
            );
        }
        1
    }
    // SAFETY: called protected, when the VM is made.
    unsafe {
        for (key, name) in [(&ARRAY, c"json.array"), (&OBJECT, c"json.object")] {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushstring(state, name.as_ptr());
            ffi::lua_setfield(state, -2, c"__name".as_ptr());
            ffi::lua_rawsetp(
                state,
                ffi::LUA_REGISTRYINDEX,
                std::ptr::from_ref(key).cast(),
            );
        }
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcfunction(state, null);
        ffi::lua_setfield(state, -2, c"__tostring".as_ptr());
        ffi::lua_setmetatable(state, -2);
        ffi::lua_pop(state, 1);
    }
}

/// One large value must not hold its memory for ever.
fn trim_buffer(vm: &Vm) {
    // SAFETY: the VM's thread, outside of any use.
    let buffer = unsafe { &mut *vm.inner().buffer.get() };
    if buffer.capacity() > 64 * 1024 {
        *buffer = Vec::new();
    }
}

unsafe fn array(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's.
    unsafe { marked(frame, &ARRAY) }
}

unsafe fn object(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's.
    unsafe { marked(frame, &OBJECT) }
}

/// The table (a new one without an argument) with a mark.
unsafe fn marked(frame: &Frame<'_>, key: &'static u8) -> Result<c_int, Error> {
    // SAFETY: as the frame's; making a table is protected by `push_value`.
    unsafe {
        if frame.is_none_or_nil(1) {
            ffi::lua_settop(frame.state, 0);
            let empty: Vec<assay_plugin::Value> = Vec::new();
            if !super::bridge::push_value(frame.state, frame.vm, &empty, None) {
                return Err(errors::out_of_memory(frame.vm));
            }
        } else if ffi::lua_istable(frame.state, 1) == 0 {
            return Err(frame.expected(1, "table"));
        }
        ffi::lua_settop(frame.state, 1);
        super::bridge::mark(frame.state, key);
    }
    Ok(1)
}
