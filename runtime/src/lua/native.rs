//! Builtins that work on the Lua stack itself: their frame, and how families become globals.

use std::ffi::{CStr, c_int, c_void};

use assay_plugin::Error;
use assay_plugin::abi::{FnDesc, PluginDecl, Str, flag};

use super::bridge::{self, Bound};
use super::state::Vm;
use super::{errors, ffi, lua_State};

/// A call of a native builtin.
///
/// Its functions may raise only through their result: no call of Lua's that raises while the frame
/// owns something. `lua_checkstack` has made room for 16 values.
pub(crate) struct Frame<'a> {
    pub state: *mut lua_State,
    pub vm: &'a Vm,
    pub nargs: c_int,
}

/// A native builtin: answers how many results are on top of the stack.
pub(crate) type Run = unsafe fn(&Frame<'_>) -> Result<c_int, Error>;

/// Names a native in its family: `fns` of the description points at a function of this name, whose
/// `call` is never used.
pub(crate) struct Native {
    pub family: &'static str,
    pub name: &'static CStr,
    pub run: Run,
}

/// Pushes a native. Raises on lack of memory.
pub(crate) unsafe fn push(state: *mut lua_State, vm: &Vm, native: &'static Native) {
    // SAFETY: an open state with room; the description is a static.
    unsafe {
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(native).cast_mut().cast());
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_pushcclosure(state, enter, 2);
    }
}

unsafe extern "C-unwind" fn enter(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with what `push` closed over. `run` owns nothing when it returns.
    unsafe {
        let native = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Native>();
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Vm>();
        match run(state, vm, native) {
            -1 => ffi::lua_error(state),
            results => results,
        }
    }
}

unsafe fn run(state: *mut lua_State, vm: &Vm, native: &'static Native) -> c_int {
    // SAFETY: as `enter`'s.
    unsafe {
        let frame = Frame {
            state,
            vm,
            nargs: ffi::lua_gettop(state),
        };
        let result = match ffi::lua_checkstack(state, 16) {
            0 => Err(Error::new("stack", "the Lua stack is full")),
            // A panic must not get into Lua's frames.
            _ => assay_plugin::panic::contain(|| (native.run)(&frame)).and_then(|result| result),
        };
        match result {
            Ok(results) => results,
            Err(error) => {
                // Whatever it left there: the error must have room.
                ffi::lua_settop(state, frame.nargs);
                fail(state, vm, native, error);
                -1
            }
        }
    }
}

/// Pushes the error of a native.
pub(crate) unsafe fn fail(state: *mut lua_State, vm: &Vm, native: &Native, error: Error) {
    // The name is put here: natives have no description on the wire.
    let name = native.name.to_str().unwrap_or_default();
    let error = match name {
        "__call" => error.context(native.family),
        "" => error,
        _ if native.family.is_empty() => error.context(name),
        _ => error.context(format_args!("{}.{name}", native.family)),
    };
    // SAFETY: an open state with room.
    unsafe { errors::push(state, vm, &error, None) };
}

impl<'a> Frame<'a> {
    /// The type of an argument, as Lua names it.
    pub fn type_name(&self, index: c_int) -> &'static str {
        // SAFETY: an open state; type names are static texts of Lua's.
        unsafe {
            match ffi::lua_type(self.state, index) {
                ffi::LUA_TNONE => "nothing",
                kind => CStr::from_ptr(ffi::lua_typename(self.state, kind))
                    .to_str()
                    .unwrap_or("value"),
            }
        }
    }

    pub fn is_none_or_nil(&self, index: c_int) -> bool {
        // SAFETY: an open state.
        unsafe { ffi::lua_type(self.state, index) <= ffi::LUA_TNIL }
    }

    /// The bytes of a string argument, valid while it stays on the stack.
    pub fn bytes(&self, index: c_int) -> Result<&'a [u8], Error> {
        // SAFETY: an open state; only strings are read, so nothing is converted in place.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TSTRING {
                return Err(self.expected(index, "string"));
            }
            let mut len = 0;
            let bytes = ffi::lua_tolstring(self.state, index, &mut len);
            Ok(std::slice::from_raw_parts(bytes.cast(), len))
        }
    }

    /// A number argument.
    pub fn number(&self, index: c_int) -> Result<f64, Error> {
        // SAFETY: as above.
        unsafe {
            if ffi::lua_type(self.state, index) != ffi::LUA_TNUMBER {
                return Err(self.expected(index, "number"));
            }
            Ok(ffi::lua_tonumber(self.state, index))
        }
    }

    /// A function argument (or something else with `__call`).
    pub fn callable(&self, index: c_int) -> Result<(), Error> {
        // SAFETY: as above.
        unsafe {
            if ffi::lua_type(self.state, index) == ffi::LUA_TFUNCTION {
                return Ok(());
            }
            if index <= self.nargs
                && ffi::luaL_getmetafield(self.state, index, c"__call".as_ptr()) != ffi::LUA_TNIL
            {
                ffi::lua_pop(self.state, 1);
                return Ok(());
            }
        }
        Err(self.expected(index, "function"))
    }

    pub fn expected(&self, index: c_int, what: &str) -> Error {
        Error::argument(format!(
            "argument {index}: expected {what}, got {}",
            self.type_name(index)
        ))
    }

    /// Pushes bytes; raises nothing.
    pub fn push_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        // SAFETY: an open state with room; the push is protected.
        match unsafe { bridge::push_value(self.state, self.vm, &bytes, None) } {
            true => Ok(()),
            false => Err(errors::out_of_memory(self.vm)),
        }
    }

    /// Reads an options table: nil or a table of the given keys.
    pub unsafe fn option_bool(
        &self,
        index: c_int,
        known: &[&str],
        key: &CStr,
    ) -> Result<bool, Error> {
        // SAFETY: an open state with room; raw access only.
        unsafe {
            if self.is_none_or_nil(index) {
                return Ok(false);
            }
            if ffi::lua_istable(self.state, index) == 0 {
                return Err(self.expected(index, "table"));
            }
            let mut found = false;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, index) != 0 {
                let top = ffi::lua_gettop(self.state);
                let name = match self.bytes(top - 1) {
                    Ok(name) => String::from_utf8_lossy(name).into_owned(),
                    Err(_) => errors::describe(self.state, top - 1),
                };
                if !known.contains(&name.as_str()) {
                    let error =
                        Error::argument(format!("argument {index}: unknown option `{name}`"));
                    let hint = match assay_plugin::did_you_mean(&name, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("options are {}", known.join(", ")),
                    };
                    ffi::lua_settop(self.state, self.nargs);
                    return Err(error.hint(hint));
                }
                if name.as_bytes() == key.to_bytes() {
                    if ffi::lua_type(self.state, top) != ffi::LUA_TBOOLEAN {
                        let error = Error::argument(format!(
                            "argument {index}: option `{name}`: expected boolean, got {}",
                            self.type_name(top)
                        ));
                        ffi::lua_settop(self.state, self.nargs);
                        return Err(error);
                    }
                    found = ffi::lua_toboolean(self.state, top) != 0;
                }
                ffi::lua_pop(self.state, 1);
            }
            Ok(found)
        }
    }
}

/// Sets the functions of a family in the table on top. Raises.
pub(crate) unsafe fn fill(state: *mut lua_State, vm: &Vm, family: &'static PluginDecl) {
    // SAFETY: a table is on top; descriptions are statics.
    unsafe {
        for at in 0..family.nfns as usize {
            let desc: *const FnDesc = family.fns.add(at);
            let name = (*desc).name;
            let owner: *const Str = &raw const family.name;
            let bound = Bound {
                desc,
                owner,
                method: false,
            };
            if name.bytes() == b"__call" {
                set_call(state, |state| {
                    bridge::push_function(state, vm, bound);
                    ffi::lua_pushcclosure(state, without_self, 1);
                });
                continue;
            }
            ffi::lua_pushlstring(state, name.ptr.cast(), name.len);
            bridge::push_function(state, vm, bound);
            if (*desc).flags & flag::VALUE != 0 {
                ffi::lua_call(state, 0, 1);
            }
            ffi::lua_rawset(state, -3);
        }
    }
}

/// Makes the table on top callable. Raises.
pub(crate) unsafe fn set_call(state: *mut lua_State, push: impl FnOnce(*mut lua_State)) {
    // SAFETY: a table is on top.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        push(state);
        ffi::lua_setfield(state, -2, c"__call".as_ptr());
        ffi::lua_setmetatable(state, -2);
    }
}

/// `__call` gets the table first; the function does not want it.
unsafe extern "C-unwind" fn without_self(state: *mut lua_State) -> c_int {
    // SAFETY: a closure over the function.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_replace(state, 1);
        call_on(state)
    }
}

/// Calls what is at index 1 with all that is above it, which may wait, and returns all its results.
/// Raises what it raises.
pub(crate) unsafe fn call_on(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn results(
        state: *mut lua_State,
        _: c_int,
        _: ffi::lua_KContext,
    ) -> c_int {
        // SAFETY: all that is on the stack are results.
        unsafe { ffi::lua_gettop(state) }
    }
    // SAFETY: called with nothing owned.
    unsafe {
        let nargs = ffi::lua_gettop(state) - 1;
        ffi::lua_callk(state, nargs, ffi::LUA_MULTRET, 0, Some(results));
        ffi::lua_gettop(state)
    }
}

/// Runs `f` in protected mode on a state; the error is left on top. `f` may raise, and so must own
/// nothing while it does.
pub(crate) unsafe fn protected<F: FnOnce(*mut lua_State)>(state: *mut lua_State, f: F) -> c_int {
    struct Job<F> {
        f: Option<F>,
    }
    unsafe extern "C-unwind" fn job<F: FnOnce(*mut lua_State)>(state: *mut lua_State) -> c_int {
        // SAFETY: called once with the job of `protected`.
        unsafe {
            let job = &mut *ffi::lua_touserdata(state, 1).cast::<Job<F>>();
            ffi::lua_settop(state, 0);
            if let Some(f) = job.f.take() {
                f(state);
            }
        }
        0
    }
    let mut this = Job { f: Some(f) };
    // SAFETY: an open state with room.
    unsafe {
        ffi::lua_pushcfunction(state, job::<F>);
        ffi::lua_pushlightuserdata(state, (&raw mut this).cast::<c_void>());
        ffi::lua_pcall(state, 1, 0, 0)
    }
}
