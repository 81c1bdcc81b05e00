//! `assert`: callable as Lua's own, and a family of comparisons that show both values.

use std::ffi::c_int;

use assay_plugin::{Error, MAX_DEPTH, View};

use super::native::{self, Frame, Native};
use super::state::Vm;
use super::{bridge, errors, ffi, lua_State};

pub(crate) static FUNCTIONS: &[Native] = &[
    Native {
        family: "assert",
        name: c"eq",
        run: eq,
    },
    Native {
        family: "assert",
        name: c"ne",
        run: ne,
    },
    Native {
        family: "assert",
        name: c"gt",
        run: gt,
    },
    Native {
        family: "assert",
        name: c"lt",
        run: lt,
    },
    Native {
        family: "assert",
        name: c"contains",
        run: contains,
    },
    Native {
        family: "assert",
        name: c"not_nil",
        run: not_nil,
    },
    Native {
        family: "assert",
        name: c"matches",
        run: matches,
    },
];

static RAISES: Native = Native {
    family: "assert",
    name: c"raises",
    run: |_| Ok(0),
};

/// Adds what is no native: `raises`, which may wait, and the call itself. Raises.
pub(crate) unsafe fn install(state: *mut lua_State, vm: &Vm) {
    // SAFETY: the family's table is on top.
    unsafe {
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_pushcclosure(state, raises, 1);
        ffi::lua_setfield(state, -2, c"raises".as_ptr());
        native::set_call(state, |state| ffi::lua_pushcfunction(state, call));
    }
}

/// Lua's own `assert`: hands its arguments on, or raises the second one as it is.
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the table itself is the first argument.
    unsafe {
        ffi::lua_remove(state, 1);
        if ffi::lua_toboolean(state, 1) != 0 {
            return ffi::lua_gettop(state);
        }
        match ffi::lua_gettop(state) {
            // Lua's own words know that this is called through a table.
            0 => ffi::luaL_error(
                state,
                c"bad argument #1 to 'assert' (value expected)".as_ptr(),
            ),
            1 => ffi::luaL_error(state, c"assertion failed!".as_ptr()),
            _ => {
                ffi::lua_settop(state, 2);
                ffi::lua_error(state)
            }
        }
    }
}

/// The failure, with the caller's message in front if there is one.
unsafe fn failure(frame: &Frame<'_>, message: c_int, what: String) -> Error {
    if frame.is_none_or_nil(message) {
        return Error::new("assertion", what);
    }
    // SAFETY: the frame's.
    let message = unsafe { errors::describe(frame.state, message) };
    Error::new("assertion", format!("{message}: {what}"))
}

/// An argument as source.
unsafe fn shown(frame: &Frame<'_>, index: c_int) -> String {
    // SAFETY: the frame's; the view is read at once.
    unsafe {
        let scratch = frame.vm.inner().scratch.get();
        let mark = (*scratch).mark();
        let shown = match bridge::to_val(frame.state, frame.vm, index, MAX_DEPTH) {
            Ok(val) => errors::show(View::new(&val), 6),
            Err(_) => errors::describe(frame.state, index),
        };
        (*scratch).reset(mark);
        shown
    }
}

unsafe fn eq(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's.
    unsafe {
        if let Some(place) = difference(frame)? {
            let mut what = format!(
                "values differ\n  left:  {}\n  right: {}",
                shown(frame, 1),
                shown(frame, 2)
            );
            if !place.is_empty() {
                what.push_str(&format!("\n  first difference at: {place}"));
            }
            return Err(failure(frame, 3, what));
        }
    }
    Ok(0)
}

unsafe fn ne(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's.
    unsafe {
        if difference(frame)?.is_none() {
            return Err(failure(
                frame,
                3,
                format!("values are equal: {}", shown(frame, 1)),
            ));
        }
    }
    Ok(0)
}

/// Where the first two arguments differ, if they do.
unsafe fn difference(frame: &Frame<'_>) -> Result<Option<String>, Error> {
    // SAFETY: the frame's; `__eq` is not called (raw comparison), so no Lua code runs.
    unsafe {
        ffi::lua_settop(frame.state, 3);
        let mut path = Vec::new();
        let same = same(frame.state, 1, 2, MAX_DEPTH, &mut path)?;
        ffi::lua_settop(frame.state, 3);
        Ok((!same).then(|| path.join(".")))
    }
}

unsafe fn same(
    state: *mut lua_State,
    a: c_int,
    b: c_int,
    depth: usize,
    path: &mut Vec<String>,
) -> Result<bool, Error> {
    // SAFETY: absolute indices of an open state; raw access only.
    unsafe {
        if ffi::lua_rawequal(state, a, b) != 0 {
            return Ok(true);
        }
        if ffi::lua_istable(state, a) == 0 || ffi::lua_istable(state, b) == 0 {
            return Ok(false);
        }
        if depth == 0 || ffi::lua_checkstack(state, 6) == 0 {
            return Err(Error::argument(format!(
                "tables nested deeper than {MAX_DEPTH}, or ones that contain themselves"
            )));
        }
        let top = ffi::lua_gettop(state);
        let mut count = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, a) != 0 {
            count += 1;
            path.push(errors::describe(state, top + 1));
            ffi::lua_pushvalue(state, top + 1);
            ffi::lua_rawget(state, b);
            if !same(state, top + 2, top + 3, depth - 1, path)? {
                return Ok(false);
            }
            path.pop();
            ffi::lua_settop(state, top + 1);
        }
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, b) != 0 {
            count -= 1;
            if count < 0 {
                // A key of `b` that `a` has not: find it for the message.
                ffi::lua_pop(state, 1);
                ffi::lua_pushvalue(state, top + 1);
                if ffi::lua_rawget(state, a) == ffi::LUA_TNIL {
                    path.push(errors::describe(state, top + 1));
                }
                ffi::lua_settop(state, top);
                return Ok(false);
            }
            ffi::lua_pop(state, 1);
        }
        ffi::lua_settop(state, top);
        Ok(true)
    }
}

unsafe extern "C-unwind" fn c_less(state: *mut lua_State) -> c_int {
    // SAFETY: called protected, with two arguments.
    unsafe { ffi::lua_pushboolean(state, ffi::lua_compare(state, 1, 2, ffi::LUA_OPLT)) };
    1
}

unsafe extern "C-unwind" fn c_greater(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { ffi::lua_pushboolean(state, ffi::lua_compare(state, 2, 1, ffi::LUA_OPLT)) };
    1
}

unsafe fn gt(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's.
    unsafe { order(frame, "greater than", c_greater) }
}

unsafe fn lt(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: the frame's.
    unsafe { order(frame, "less than", c_less) }
}

unsafe fn order(
    frame: &Frame<'_>,
    what: &str,
    compare: ffi::lua_CFunction,
) -> Result<c_int, Error> {
    // SAFETY: the frame's; comparing is protected.
    unsafe {
        ffi::lua_settop(frame.state, 3);
        ffi::lua_pushcfunction(frame.state, compare);
        ffi::lua_pushvalue(frame.state, 1);
        ffi::lua_pushvalue(frame.state, 2);
        if ffi::lua_pcall(frame.state, 2, 1, 0) != ffi::LUA_OK {
            return Err(Error::argument(errors::describe(
                frame.state,
                ffi::lua_gettop(frame.state),
            )));
        }
        if ffi::lua_toboolean(frame.state, -1) == 0 {
            let what = format!(
                "expected {} to be {what} {}",
                shown(frame, 1),
                shown(frame, 2)
            );
            return Err(failure(frame, 3, what));
        }
    }
    Ok(0)
}

unsafe fn contains(frame: &Frame<'_>) -> Result<c_int, Error> {
    let (text, part) = (frame.bytes(1)?, frame.bytes(2)?);
    if !part.is_empty() && !text.windows(part.len()).any(|window| window == part) {
        // SAFETY: the frame's.
        return Err(unsafe {
            failure(
                frame,
                3,
                format!(
                    "expected {} to contain {}",
                    shown(frame, 1),
                    shown(frame, 2)
                ),
            )
        });
    }
    Ok(0)
}

unsafe fn not_nil(frame: &Frame<'_>) -> Result<c_int, Error> {
    if frame.is_none_or_nil(1) {
        // SAFETY: the frame's.
        return Err(unsafe { failure(frame, 2, "expected a value, got nil".into()) });
    }
    Ok(0)
}

unsafe fn matches(frame: &Frame<'_>) -> Result<c_int, Error> {
    frame.bytes(1)?;
    frame.bytes(2)?;
    // SAFETY: the frame's.
    unsafe {
        ffi::lua_settop(frame.state, 3);
        if !find(frame.state, 1, 2)? {
            let what = format!(
                "expected {} to match the pattern {}",
                shown(frame, 1),
                shown(frame, 2)
            );
            return Err(failure(frame, 3, what));
        }
    }
    Ok(0)
}

unsafe extern "C-unwind" fn find_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected, with text and pattern: the text's own `find` method.
    unsafe {
        ffi::luaL_getmetafield(state, 1, c"__index".as_ptr());
        ffi::lua_getfield(state, -1, c"find".as_ptr());
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushvalue(state, 2);
        ffi::lua_callk(state, 2, 1, 0, None);
    }
    1
}

/// Whether a Lua pattern is found in a text.
unsafe fn find(state: *mut lua_State, text: c_int, pattern: c_int) -> Result<bool, Error> {
    // SAFETY: absolute indices of strings.
    unsafe {
        ffi::lua_pushcfunction(state, find_job);
        ffi::lua_pushvalue(state, text);
        ffi::lua_pushvalue(state, pattern);
        if ffi::lua_pcall(state, 2, 1, 0) != ffi::LUA_OK {
            let message = errors::describe(state, ffi::lua_gettop(state));
            ffi::lua_pop(state, 1);
            return Err(Error::argument(format!("argument 2: {message}")));
        }
        let found = ffi::lua_isnil(state, -1) == 0;
        ffi::lua_pop(state, 1);
        Ok(found)
    }
}

/// `raises(fn, pattern?)`: the function may wait, so it is called with a continuation.
unsafe extern "C-unwind" fn raises(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; `check` owns nothing when it returns.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let nargs = ffi::lua_gettop(state);
        if let Err(error) = (Frame { state, vm, nargs }).callable(1) {
            native::fail(state, vm, &RAISES, error);
            ffi::lua_error(state);
        }
        ffi::lua_settop(state, 2);
        ffi::lua_pushvalue(state, 1);
        let status = ffi::lua_pcallk(state, 0, 0, 0, 0, Some(raised));
        raised(state, status, 0)
    }
}

unsafe extern "C-unwind" fn raised(
    state: *mut lua_State,
    status: c_int,
    _: ffi::lua_KContext,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        let good = status == ffi::LUA_OK || status == ffi::LUA_YIELD;
        if check(state, vm, good) {
            1
        } else {
            ffi::lua_error(state)
        }
    }
}

/// Leaves the error that was raised on top, or one of ours.
unsafe fn check(state: *mut lua_State, vm: &Vm, returned: bool) -> bool {
    // SAFETY: function, pattern, and the error if one was raised.
    unsafe {
        let frame = Frame {
            state,
            vm,
            nargs: 2,
        };
        let result = if returned {
            Err(Error::new("assertion", "expected an error, got none"))
        } else if frame.is_none_or_nil(2) {
            Ok(())
        } else {
            matches_error(&frame)
        };
        match result {
            Ok(()) => true,
            Err(error) => {
                native::fail(state, vm, &RAISES, error);
                false
            }
        }
    }
}

unsafe fn matches_error(frame: &Frame<'_>) -> Result<(), Error> {
    frame.bytes(2)?;
    // SAFETY: the error is at index 3.
    unsafe {
        let state = frame.state;
        let message = match errors::read(state, frame.vm, 3) {
            errors::Raised::Record(fields) => crate::Error::from_fields(fields).to_string(),
            errors::Raised::Message(message) => message,
        };
        frame.push_bytes(message.as_bytes())?;
        let found = find(state, 4, 2)?;
        ffi::lua_settop(state, 3);
        match found {
            true => Ok(()),
            false => Err(Error::new(
                "assertion",
                format!(
                    "expected an error that matches {}, got: {message}",
                    shown(frame, 2)
                ),
            )),
        }
    }
}
