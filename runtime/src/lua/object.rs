//! Objects of plugins as userdata, the classes of objects and records as metatables, and Lua values
//! that a plugin carries without looking inside.

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_plugin::AnyObject;
use assay_plugin::abi::{FnDesc, ObjHdr, ObjVt, Str};

use super::bridge::{self, Bound};
use super::state::{Message, Vm, VmRef};
use super::{ffi, lua_State};

/// What the userdata of an object holds.
#[repr(C)]
struct Userdata {
    /// Tells our userdata from others of the same size.
    magic: *const u8,
    header: *const ObjHdr,
}

static MAGIC: u8 = 0;

/// The object in the userdata at an index, or null. Lent by the userdata.
pub(crate) unsafe fn get(state: *mut lua_State, index: c_int) -> *const ObjHdr {
    // SAFETY: full userdata of that size is read as two words, which any 16 bytes are.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TUSERDATA
            || ffi::lua_rawlen(state, index) != size_of::<Userdata>()
        {
            return std::ptr::null();
        }
        let userdata = ffi::lua_touserdata(state, index).cast::<Userdata>();
        if std::ptr::eq((*userdata).magic, &MAGIC) {
            (*userdata).header
        } else {
            std::ptr::null()
        }
    }
}

/// Pushes an object, retained. Raises.
pub(crate) unsafe fn push(state: *mut lua_State, vm: &Vm, header: *const ObjHdr) {
    // SAFETY: a live object; nothing is owned while Lua may raise.
    unsafe {
        if push_lua_value(state, vm, header) {
            return;
        }
        ffi::luaL_checkstack(state, 6, std::ptr::null());
        let userdata = ffi::lua_newuserdatauv(state, size_of::<Userdata>(), 0).cast::<Userdata>();
        userdata.write(Userdata {
            magic: std::ptr::null(),
            header,
        });
        push_object_class(state, vm, (*header).vt);
        ((*(*header).vt).retain)(header);
        (*userdata).magic = &raw const MAGIC;
        ffi::lua_setmetatable(state, -2);
    }
}

unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the userdata; after it the magic is gone, so never twice.
    unsafe {
        let header = get(state, 1);
        if !header.is_null() {
            (*ffi::lua_touserdata(state, 1).cast::<Userdata>()).magic = std::ptr::null();
            ((*(*header).vt).release)(header);
        }
    }
    0
}

/// Pushes the metatable of a class of objects, made with its first use. Raises.
unsafe fn push_object_class(state: *mut lua_State, vm: &Vm, class: *const ObjVt) {
    // SAFETY: classes live as long as the process.
    unsafe {
        if ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, class.cast()) == ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_pop(state, 1);
        push_class(state, vm, class);
        ffi::lua_pushcfunction(state, collect);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        // Scripts see that there is a metatable, not the table.
        ffi::lua_pushboolean(state, 0);
        ffi::lua_setfield(state, -2, c"__metatable".as_ptr());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, class.cast());
    }
}

/// Pushes the metatable of a class of records. Raises.
pub(crate) unsafe fn push_record_class(state: *mut lua_State, vm: &Vm, class: *const ObjVt) {
    // SAFETY: as above. The key is an address inside the class, which no other key is.
    unsafe {
        let key = (&raw const (*class).type_name).cast();
        if ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, key) == ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_pop(state, 1);
        push_class(state, vm, class);
        ffi::lua_pushvalue(state, -1);
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, key);
    }
}

/// Pushes a metatable with the class's methods and metamethods. Raises.
unsafe fn push_class(state: *mut lua_State, vm: &Vm, class: *const ObjVt) {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checkstack(state, 8, std::ptr::null());
        let class = &*class;
        ffi::lua_createtable(state, 0, 6);
        ffi::lua_pushlstring(state, class.type_name.ptr.cast(), class.type_name.len);
        ffi::lua_setfield(state, -2, c"__name".as_ptr());
        ffi::lua_createtable(state, 0, class.nmethods as c_int);
        for at in 0..class.nmethods as usize {
            let desc: *const FnDesc = class.methods.add(at);
            let name = (*desc).name;
            let meta = name.bytes().starts_with(b"__");
            ffi::lua_pushlstring(state, name.ptr.cast(), name.len);
            let owner: *const Str = &raw const class.type_name;
            bridge::push_function(
                state,
                vm,
                Bound {
                    desc,
                    owner,
                    method: true,
                },
            );
            ffi::lua_rawset(state, if meta { -4 } else { -3 });
        }
        // A class with `__index` of its own answers for what is no method.
        ffi::lua_pushstring(state, c"__index".as_ptr());
        if ffi::lua_rawget(state, -3) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
        } else {
            ffi::lua_pushcclosure(state, index_meta, 2);
        }
        ffi::lua_setfield(state, -2, c"__index".as_ptr());
    }
}

unsafe extern "C-unwind" fn index_meta(state: *mut lua_State) -> c_int {
    // SAFETY: a closure over the methods and the class's own `__index`.
    unsafe {
        ffi::lua_pushvalue(state, 2);
        if ffi::lua_rawget(state, ffi::lua_upvalueindex(1)) != ffi::LUA_TNIL {
            return 1;
        }
        ffi::lua_settop(state, 2);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_rotate(state, 1, 1);
        ffi::lua_callk(state, 2, 1, 0, None);
    }
    1
}

/// A Lua value that a plugin holds: what a script raised, on its way through.
#[repr(C)]
struct LuaValue {
    header: ObjHdr,
    count: AtomicUsize,
    vm: VmRef,
    reference: c_int,
}

// SAFETY: counted atomically; the reference is only used on the VM's thread.
unsafe impl Send for LuaValue {}

static LUA_VALUE: ObjVt = ObjVt {
    size: size_of::<ObjVt>() as u32,
    nmethods: 0,
    type_name: Str::new("lua.Value"),
    methods: std::ptr::null(),
    retain,
    release,
    doc: Str::new(""),
};

unsafe extern "C" fn retain(header: *const ObjHdr) {
    // SAFETY: only called with the header of a `LuaValue`.
    unsafe { &*header.cast::<LuaValue>() }
        .count
        .fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn release(header: *const ObjHdr) {
    let value = header.cast::<LuaValue>();
    // SAFETY: as above; the last owner frees what `keep_lua_value` made.
    unsafe {
        if (*value).count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let value = Box::from_raw(value.cast_mut());
            unref(&value.vm, value.reference);
        }
    }
}

/// Gives a registry reference back, from any thread.
pub(crate) fn unref(vm: &Vm, reference: c_int) {
    if !vm.is_here() {
        // A closed VM has no references any more.
        let _ = vm.send(Message::Unref(reference));
    } else if !vm.is_closed() && !vm.inner().main.get().is_null() {
        // SAFETY: on the VM's thread, with an open state.
        unsafe { ffi::luaL_unref(vm.inner().main.get(), ffi::LUA_REGISTRYINDEX, reference) };
    }
}

/// Keeps the value at an absolute index in the registry; `None` for lack of memory. Never raises.
pub(crate) unsafe fn keep(state: *mut lua_State, index: c_int) -> Option<c_int> {
    // SAFETY: an open state; protected.
    unsafe {
        if ffi::lua_checkstack(state, 4) == 0 {
            return None;
        }
        ffi::lua_pushcfunction(state, keep_job);
        ffi::lua_pushvalue(state, index);
        let reference = match ffi::lua_pcall(state, 1, 1, 0) {
            ffi::LUA_OK => Some(ffi::lua_tointeger(state, -1) as c_int),
            _ => None,
        };
        ffi::lua_pop(state, 1);
        reference
    }
}

unsafe extern "C-unwind" fn keep_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected, with one argument.
    unsafe {
        let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_pushinteger(state, reference.into());
    }
    1
}

/// A handle to the value at an absolute index. Never raises.
pub(crate) unsafe fn keep_lua_value(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
) -> Option<AnyObject> {
    // SAFETY: as `keep`'s; the new object's one count is handed over.
    unsafe {
        let reference = keep(state, index)?;
        let value = LuaValue {
            header: ObjHdr { vt: &LUA_VALUE },
            count: AtomicUsize::new(1),
            vm: vm.to_ref(),
            reference,
        };
        Some(AnyObject::from_raw(Box::into_raw(Box::new(value)).cast()))
    }
}

/// Pushes the value of a handle of this VM; false when it is something else.
pub(crate) unsafe fn push_lua_value(state: *mut lua_State, vm: &Vm, header: *const ObjHdr) -> bool {
    // SAFETY: a live object; its class says what it is.
    unsafe {
        if !std::ptr::eq((*header).vt, &LUA_VALUE) {
            return false;
        }
        let value = &*header.cast::<LuaValue>();
        if !std::ptr::eq(value.vm.as_ptr(), vm) {
            return false;
        }
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, value.reference.into());
        true
    }
}
