//! Values between the Lua stack and the boundary, and the trampolines: the hot place.
//!
//! Arguments are read from the stack in place; results are pushed while the plugin still holds
//! them. Neither goes through a tree of our own.

use std::ffi::{c_int, c_void};

use assay_plugin::abi::{self, Call, FnDesc, ObjHdr, Ret, Str, Task, Val, ValU, tag};
use assay_plugin::{Arena, Error, IntoVal, MAX_DEPTH};

use super::state::Vm;
use super::{errors, ffi, lua_State, object, task};

/// Whose function is called: for the name in errors.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub desc: *const FnDesc,
    /// `http`, or `http.Client` for methods.
    pub owner: *const Str,
    pub method: bool,
}

impl Bound {
    /// `http.get`, `http.Client:get`; `time` for a family's `__call`.
    pub fn name(&self) -> String {
        // SAFETY: descriptions are statics.
        let (owner, name) = unsafe { ((*self.owner).text(), (*self.desc).name.text()) };
        match (name, self.method) {
            ("__call", _) => owner.into(),
            (name, true) => format!("{owner}:{name}"),
            (name, false) => format!("{owner}.{name}"),
        }
    }
}

/// What a closure of a plugin's function points to.
pub(crate) struct Target {
    bound: Bound,
    vm: *const Vm,
}

/// Pushes a function of a plugin. Raises on lack of memory.
///
/// # Safety
/// An open state with room; the descriptions must be statics.
pub(crate) unsafe fn push_function(state: *mut lua_State, vm: &Vm, bound: Bound) {
    // SAFETY: the caller's promise; the target lives as long as the VM, which owns it already when
    // Lua may raise.
    unsafe {
        let target = vm.inner().keep_target(Target { bound, vm });
        ffi::lua_pushlightuserdata(state, target.cast_mut().cast());
        ffi::lua_pushcclosure(state, trampoline, 1);
    }
}

/// The bound function and VM of the running trampoline.
#[inline]
pub(crate) unsafe fn upvalues<'a>(state: *mut lua_State) -> (Bound, &'a Vm) {
    // SAFETY: `push_function` made the closure; the VM lives as long as its state.
    unsafe {
        let target = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Target>();
        ((*target).bound, &*(*target).vm)
    }
}

unsafe extern "C-unwind" fn trampoline(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing here owns anything when `lua_error` or `lua_yieldk` leaves.
    unsafe {
        let (bound, vm) = upvalues(state);
        let flags = (*bound.desc).flags;
        let slot = if flags & abi::flag::ASYNC != 0 {
            task::reserve(state)
        } else {
            std::ptr::null_mut()
        };
        match call(state, vm, bound, slot) {
            abi::OK => 1,
            abi::PENDING => task::wait(state, slot),
            _ => ffi::lua_error(state),
        }
    }
}

/// Where a plugin's result goes: onto the stack of the thread that called.
#[repr(C)]
pub(crate) struct Slot {
    ret: Ret,
    state: *mut lua_State,
    vm: *const Vm,
    bound: Bound,
    /// Whether a value was pushed.
    set: bool,
    /// Whether that value is an error of ours instead.
    failed: bool,
}

impl Slot {
    pub fn new(state: *mut lua_State, vm: &Vm, bound: Bound) -> Self {
        Self {
            ret: Ret { set },
            state,
            vm,
            bound,
            set: false,
            failed: false,
        }
    }

    pub fn ret(&mut self) -> *mut Ret {
        std::ptr::from_mut(self).cast()
    }

    /// Makes sure that exactly one value is on the stack, and says what it is.
    ///
    /// # Safety
    /// The slot's state must be open.
    pub unsafe fn settle(&mut self, status: i32) -> i32 {
        // SAFETY: the caller's promise; one slot was reserved by `checkstack`.
        unsafe {
            if !self.set {
                match status {
                    abi::OK => ffi::lua_pushnil(self.state),
                    _ => self.fail(&Error::new("error", "failed without saying why")),
                }
            }
            if self.failed || status != abi::OK {
                abi::ERR
            } else {
                abi::OK
            }
        }
    }

    /// Pushes an error of ours as the result.
    unsafe fn fail(&mut self, error: &Error) {
        self.failed = true;
        self.set = true;
        // SAFETY: the slot's state is open.
        unsafe { errors::push(self.state, &*self.vm, error, Some(self.bound)) };
    }
}

unsafe extern "C" fn set(ret: *mut Ret, val: *const Val) {
    // SAFETY: `ret` is the first field of a `Slot`; the value is lent.
    unsafe {
        let slot = &mut *ret.cast::<Slot>();
        if slot.set {
            return;
        }
        if val.is_null() {
            return slot.fail(&Error::new("internal", "a result that points nowhere"));
        }
        slot.set = true;
        match (*val).tag {
            tag::NIL => return ffi::lua_pushnil(slot.state),
            tag::BOOL => return ffi::lua_pushboolean(slot.state, ((*val).u.b != 0) as c_int),
            tag::INT => return ffi::lua_pushinteger(slot.state, (*val).u.i),
            tag::FLOAT => return ffi::lua_pushnumber(slot.state, (*val).u.f),
            _ => {}
        }
        if !push_protected(slot.state, &*slot.vm, &*val, Some(slot.bound)) {
            slot.failed = true;
        }
    }
}

/// Calls with the arguments on the stack (all of them, less a reserved task slot on top). Leaves the
/// result, or the error, on top; or the task in `pending`.
unsafe fn call(state: *mut lua_State, vm: &Vm, bound: Bound, pending: *mut task::Pending) -> i32 {
    // SAFETY: on the VM's thread, in a C function called by Lua, which has room for 20 values
    // beyond its arguments. Nothing here raises.
    unsafe {
        let inner = vm.inner();
        let top = ffi::lua_gettop(state);
        let nargs = if pending.is_null() { top } else { top - 1 };
        let mut slot = Slot::new(state, vm, bound);
        let scratch = inner.scratch.get();
        let mark = (*scratch).mark();
        let mut first = 1;
        let mut this: *const ObjHdr = std::ptr::null();
        if bound.method {
            this = object::get(state, 1);
            if !this.is_null() {
                first = 2;
            }
        }
        let mut few = [Val::NIL; 4];
        let count = (nargs - first + 1).max(0) as usize;
        let args = if count <= few.len() {
            match fill(state, vm, &mut few[..count], first) {
                Ok(()) => few.as_ptr(),
                Err((at, error)) => return wrong(&mut slot, scratch, mark, at, error),
            }
        } else {
            let start = (*scratch).open.len();
            for at in 0..count {
                match to_val(state, vm, first + at as c_int, MAX_DEPTH) {
                    Ok(val) => (*scratch).open.push(val),
                    Err(error) => {
                        (*scratch).open.truncate(start);
                        return wrong(&mut slot, scratch, mark, at, error);
                    }
                }
            }
            (*scratch).finish(start)
        };
        let before = inner.current.replace(state);
        let mut block = Call {
            size: size_of::<Call>() as u32,
            nargs: count as u32,
            args,
            this,
            vm: vm.header(),
            ret: slot.ret(),
            task: Task {
                data: std::ptr::null_mut(),
                vt: std::ptr::null(),
            },
        };
        let mut status = ((*bound.desc).call)(&mut block);
        inner.current.set(before);
        (*scratch).reset(mark);
        if before.is_null() && inner.paused.replace(false) {
            ffi::lua_gc(state, ffi::LUA_GCRESTART);
        }
        if status == abi::PENDING {
            let wrong = if pending.is_null() {
                Some("a function not declared `async` went pending")
            } else if block.task.vt.is_null() {
                Some("a function went pending without a task")
            } else {
                None
            };
            if let Some(wrong) = wrong {
                task::drop_task(block.task);
                // What it may have set is below the error, and goes with the frame.
                slot.fail(&Error::new("internal", wrong));
                return abi::ERR;
            }
            (*pending).task = block.task;
            status = task::poll(state, vm, bound, pending);
            if status != abi::PENDING {
                task::drop_task(std::mem::replace(&mut (*pending).task, task::NO_TASK));
            }
            return status;
        }
        slot.settle(status)
    }
}

unsafe fn wrong(
    slot: &mut Slot,
    scratch: *mut super::state::Scratch,
    mark: super::state::Mark,
    at: usize,
    error: Error,
) -> i32 {
    // SAFETY: as `call`'s.
    unsafe {
        (*scratch).reset(mark);
        slot.fail(&error.context(format_args!("argument {}", at + 1)));
    }
    abi::ERR
}

unsafe fn fill(
    state: *mut lua_State,
    vm: &Vm,
    args: &mut [Val],
    first: c_int,
) -> Result<(), (usize, Error)> {
    for (at, arg) in args.iter_mut().enumerate() {
        // SAFETY: as `call`'s.
        *arg = unsafe { to_val(state, vm, first + at as c_int, MAX_DEPTH) }.map_err(|e| (at, e))?;
    }
    Ok(())
}

/// A view of the value at an absolute index. Valid while the value stays on the stack (or in its
/// table) and the scratch is not reset. Does not raise.
///
/// # Safety
/// On the VM's thread, with an open state.
#[inline]
pub(crate) unsafe fn to_val(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
    depth: usize,
) -> Result<Val, Error> {
    // SAFETY: the caller's promise.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => {
                let mut integral = 0;
                let int = ffi::lua_tointegerx(state, index, &mut integral);
                // A float with an integral value converts too, and stays a float.
                if integral != 0 && ffi::lua_isinteger(state, index) != 0 {
                    return Ok(Val::int(int));
                }
                Ok(Val::float(ffi::lua_tonumberx(
                    state,
                    index,
                    std::ptr::null_mut(),
                )))
            }
            ffi::LUA_TSTRING => {
                let mut len = 0;
                let bytes = ffi::lua_tolstring(state, index, &mut len);
                match u32::try_from(len) {
                    Ok(len) => Ok(Val {
                        tag: tag::STR,
                        len,
                        u: ValU { s: bytes.cast() },
                    }),
                    Err(_) => Err(too_long(len)),
                }
            }
            kind => other_to_val(state, vm, index, kind, depth),
        }
    }
}

#[cold]
fn too_long(len: usize) -> Error {
    Error::argument(format!("a string of {len} bytes (at most 4 GiB - 1)"))
}

unsafe fn other_to_val(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
    kind: c_int,
    depth: usize,
) -> Result<Val, Error> {
    // SAFETY: the caller's promise.
    unsafe {
        Ok(match kind {
            ffi::LUA_TNIL | ffi::LUA_TNONE => Val::NIL,
            ffi::LUA_TBOOLEAN => Val::bool(ffi::lua_toboolean(state, index) != 0),
            ffi::LUA_TTABLE => return table_to_val(state, vm, index, depth),
            ffi::LUA_TFUNCTION => {
                let function = task::keep_function(state, vm, index)?;
                (*vm.inner().scratch.get()).keep(function);
                Val {
                    tag: tag::FUNC,
                    len: 0,
                    u: ValU { fun: function },
                }
            }
            ffi::LUA_TUSERDATA => {
                let header = object::get(state, index);
                if header.is_null() {
                    return Err(Error::argument("a userdata that is no object of a plugin"));
                }
                Val {
                    tag: tag::OBJECT,
                    len: 0,
                    u: ValU { o: header },
                }
            }
            ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => Val::NULL,
            other => {
                let name = std::ffi::CStr::from_ptr(ffi::lua_typename(state, other));
                return Err(Error::argument(format!(
                    "a {} cannot be passed to a plugin",
                    name.to_string_lossy()
                )));
            }
        })
    }
}

unsafe fn table_to_val(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
    depth: usize,
) -> Result<Val, Error> {
    // SAFETY: as `to_val`'s.
    unsafe {
        if depth == 0 || ffi::lua_checkstack(state, 8) == 0 {
            return Err(Error::argument(format!(
                "a table nested deeper than {MAX_DEPTH}, or one that contains itself"
            )));
        }
        let top = ffi::lua_gettop(state);
        let scratch = vm.inner().scratch.get();
        let start = (*scratch).open.len();
        let result = list_or_map(state, vm, index, depth, scratch);
        if result.is_err() {
            (*scratch).open.truncate(start);
        }
        ffi::lua_settop(state, top);
        let (tag, len) = result?;
        let values = (*scratch).finish(start);
        let len =
            u32::try_from(len).map_err(|_| Error::argument("a table of over 4 billion entries"))?;
        Ok(Val {
            tag,
            len,
            u: ValU { l: values },
        })
    }
}

/// Fills `open` with the items or pairs of the table.
unsafe fn list_or_map(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
    depth: usize,
    scratch: *mut super::state::Scratch,
) -> Result<(u32, usize), Error> {
    // SAFETY: as `to_val`'s.
    unsafe {
        let start = (*scratch).open.len();
        let len = ffi::lua_rawlen(state, index);
        let (mut items, mut is_list, mut in_order) = (0, false, false);
        // One pass is enough for a sequence in the array part, which is visited in order.
        if len > 0 {
            ffi::lua_pushnil(state);
            in_order = loop {
                if ffi::lua_next(state, index) == 0 {
                    break true;
                }
                let value = ffi::lua_gettop(state);
                if ffi::lua_isinteger(state, value - 1) == 0
                    || ffi::lua_tointegerx(state, value - 1, std::ptr::null_mut()) != items + 1
                {
                    ffi::lua_pop(state, 2);
                    break false;
                }
                // Scalars may be read twice. Tables may not: each level would double the work.
                if !is_list && ffi::lua_istable(state, value) != 0 {
                    is_list = is_sequence(state, index, len);
                    if !is_list {
                        ffi::lua_pop(state, 2);
                        break false;
                    }
                }
                let val = to_val(state, vm, value, depth - 1)?;
                (*scratch).open.push(val);
                ffi::lua_pop(state, 1);
                items += 1;
            };
        }
        if in_order && items > 0 && !is_marked(state, index, &OBJECT) {
            return Ok((tag::LIST, items as usize));
        }
        (*scratch).open.truncate(start);
        if !in_order && len > 0 && is_sequence(state, index, len) {
            for at in 1..=len {
                ffi::lua_rawgeti(state, index, at as ffi::lua_Integer);
                let val = to_val(state, vm, ffi::lua_gettop(state), depth - 1)?;
                (*scratch).open.push(val);
                ffi::lua_pop(state, 1);
            }
            return Ok((tag::LIST, len));
        }
        let mut pairs = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            let value = ffi::lua_gettop(state);
            let key = to_val(state, vm, value - 1, depth - 1)?;
            let value = to_val(state, vm, value, depth - 1)?;
            (*scratch).open.extend([key, value]);
            ffi::lua_pop(state, 1);
            pairs += 1;
        }
        if pairs == 0 && is_marked(state, index, &ARRAY) {
            return Ok((tag::LIST, 0));
        }
        Ok((tag::MAP, pairs))
    }
}

/// Whether a table of a border `len` has no other keys than `1..=len`, in any order.
pub(crate) unsafe fn is_sequence(state: *mut lua_State, index: c_int, len: usize) -> bool {
    // SAFETY: as `to_val`'s; leaves the stack as it was.
    unsafe {
        let mut count = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            ffi::lua_pop(state, 1);
            // With a hole before it a border counts no keys: `{ nil, 1, [7] = 2 }` has two, and 2.
            let key = ffi::lua_tointegerx(state, -1, std::ptr::null_mut());
            if ffi::lua_isinteger(state, -1) == 0 || key < 1 || key as usize > len {
                ffi::lua_pop(state, 1);
                return false;
            }
            count += 1;
        }
        count == len && !is_marked(state, index, &OBJECT)
    }
}

/// The registry's key of the metatable that marks arrays.
pub(crate) static ARRAY: u8 = 0;
/// The registry's key of the metatable that marks objects.
pub(crate) static OBJECT: u8 = 0;

/// Whether the table's metatable is the one under `key`.
pub(crate) unsafe fn is_marked(state: *mut lua_State, index: c_int, key: &'static u8) -> bool {
    // SAFETY: as `to_val`'s.
    unsafe {
        if ffi::lua_getmetatable(state, index) == 0 {
            return false;
        }
        ffi::lua_rawgetp(
            state,
            ffi::LUA_REGISTRYINDEX,
            std::ptr::from_ref(key).cast(),
        );
        let same = ffi::lua_rawequal(state, -1, -2) != 0;
        ffi::lua_pop(state, 2);
        same
    }
}

/// Sets the metatable under `key` for the table on top. Does not raise.
pub(crate) unsafe fn mark(state: *mut lua_State, key: &'static u8) {
    // SAFETY: as `to_val`'s, with a table on top.
    unsafe {
        ffi::lua_rawgetp(
            state,
            ffi::LUA_REGISTRYINDEX,
            std::ptr::from_ref(key).cast(),
        );
        ffi::lua_setmetatable(state, -2);
    }
}

/// Pushes a value; on failure an error value instead. Never raises.
///
/// # Safety
/// On the VM's thread, with an open state and room for a few slots; the value is live.
pub(crate) unsafe fn push_protected(
    state: *mut lua_State,
    vm: &Vm,
    val: &Val,
    bound: Option<Bound>,
) -> bool {
    // SAFETY: the caller's promise; scalars and strings within bounds cannot raise.
    unsafe {
        match val.tag {
            tag::NIL | tag::BOOL | tag::INT | tag::FLOAT | tag::NULL => {
                push(state, vm, val, bound);
                return true;
            }
            tag::STR if !points_nowhere(val) && vm.has_room(state, val.len as usize * 2) => {
                push(state, vm, val, bound);
                return true;
            }
            _ => {}
        }
        let mut job = Push { vm, val, bound };
        ffi::lua_pushcfunction(state, push_job);
        ffi::lua_pushlightuserdata(state, (&raw mut job).cast());
        match ffi::lua_pcall(state, 1, 1, 0) {
            ffi::LUA_OK => true,
            status => {
                errors::replace_failure(state, vm, status, bound);
                false
            }
        }
    }
}

struct Push<'a> {
    vm: &'a Vm,
    val: &'a Val,
    bound: Option<Bound>,
}

unsafe extern "C-unwind" fn push_job(state: *mut lua_State) -> c_int {
    // SAFETY: called by `push_protected` with its job.
    unsafe {
        let job = &*ffi::lua_touserdata(state, 1).cast::<Push<'_>>();
        push(state, job.vm, job.val, job.bound);
    }
    1
}

/// Pushes a value. Raises on lack of memory, on too deep nesting and on unknown tags: only under
/// `lua_pcall`, or for what cannot raise.
pub(crate) unsafe fn push(state: *mut lua_State, vm: &Vm, val: &Val, bound: Option<Bound>) {
    // SAFETY: the caller's.
    unsafe { push_nested(state, vm, val, bound, MAX_DEPTH as u32) }
}

/// As `push`, `depth` levels before it is too deep.
pub(crate) unsafe fn push_nested(
    state: *mut lua_State,
    vm: &Vm,
    val: &Val,
    bound: Option<Bound>,
    depth: u32,
) {
    let Val { tag, len, u } = *val;
    // SAFETY: the value is live, and its tag says which field is set. No frame here owns anything.
    unsafe {
        if points_nowhere(val) {
            ffi::luaL_error(
                state,
                c"a value of tag %d that points nowhere".as_ptr(),
                tag as c_int,
            );
        }
        match tag {
            tag::NIL => ffi::lua_pushnil(state),
            tag::NULL => ffi::lua_pushlightuserdata(state, std::ptr::null_mut()),
            tag::BOOL => ffi::lua_pushboolean(state, (u.b != 0) as c_int),
            tag::INT => ffi::lua_pushinteger(state, u.i),
            tag::FLOAT => ffi::lua_pushnumber(state, u.f),
            tag::STR => {
                ffi::lua_pushlstring(state, u.s.cast(), len as usize);
            }
            tag::LIST => {
                room(state, depth);
                ffi::lua_createtable(state, c_int::try_from(len).unwrap_or(c_int::MAX), 0);
                for at in 0..len as usize {
                    push_item(state, vm, &*u.l.add(at), depth - 1);
                    ffi::lua_rawseti(state, -2, at as ffi::lua_Integer + 1);
                }
                mark(state, &ARRAY);
            }
            tag::MAP => push_pairs(state, vm, u.l, len, depth),
            tag::RECORD => {
                let record = &*u.r;
                push_pairs(state, vm, record.pairs, len, depth);
                object::push_record_class(state, vm, record.class);
                ffi::lua_setmetatable(state, -2);
            }
            tag::OBJECT => object::push(state, vm, u.o),
            tag::FUNC => task::push_kept(state, vm, u.fun),
            tag::BUF => push_buffer(state, vm, u.buf),
            tag::ERROR => errors::push_record(state, vm, val, bound, depth),
            unknown => {
                ffi::luaL_error(
                    state,
                    c"a value of unknown tag %d: update assay".as_ptr(),
                    unknown as c_int,
                );
            }
        }
    }
}

/// As `push_nested`: most of what is in tables are strings.
#[inline(always)]
unsafe fn push_item(state: *mut lua_State, vm: &Vm, val: &Val, depth: u32) {
    // SAFETY: as `push_nested`'s.
    unsafe {
        if val.tag == tag::STR && !val.u.s.is_null() {
            ffi::lua_pushlstring(state, val.u.s.cast(), val.len as usize);
        } else {
            push_nested(state, vm, val, None, depth);
        }
    }
}

/// Whether a value has a null pointer where there must be something: the one lie of a plugin that can
/// be seen.
unsafe fn points_nowhere(val: &Val) -> bool {
    let Val { tag, len, u } = *val;
    // SAFETY: the value is live, and its tag says which field is set.
    unsafe {
        match tag {
            tag::STR | tag::LIST | tag::MAP | tag::ERROR => len > 0 && u.l.is_null(),
            tag::OBJECT => u.o.is_null() || (*u.o).vt.is_null(),
            tag::FUNC => u.fun.is_null() || (*u.fun).vt.is_null(),
            tag::BUF => {
                u.buf.is_null()
                    || (*u.buf).vt.is_null()
                    || (*u.buf).len > 0 && (*u.buf).ptr.is_null()
            }
            tag::RECORD => {
                u.r.is_null() || (*u.r).class.is_null() || len > 0 && (*u.r).pairs.is_null()
            }
            _ => false,
        }
    }
}

/// Makes room for one more level, or raises: the native stack is as finite as Lua's.
pub(crate) unsafe fn room(state: *mut lua_State, depth: u32) {
    // SAFETY: an open state in protected mode.
    unsafe {
        if depth == 0 {
            ffi::luaL_error(
                state,
                c"a value nested deeper than %d".as_ptr(),
                MAX_DEPTH as c_int,
            );
        }
        ffi::luaL_checkstack(state, 8, c"value nested too deep".as_ptr());
    }
}

unsafe fn push_pairs(state: *mut lua_State, vm: &Vm, pairs: *const Val, len: u32, depth: u32) {
    // SAFETY: as `push`'s.
    unsafe {
        room(state, depth);
        ffi::lua_createtable(state, 0, c_int::try_from(len).unwrap_or(c_int::MAX));
        for at in 0..len as usize {
            let (key, value) = (&*pairs.add(2 * at), &*pairs.add(2 * at + 1));
            if value.tag == tag::NIL || key.tag == tag::NIL {
                continue;
            }
            push_item(state, vm, key, depth - 1);
            push_item(state, vm, value, depth - 1);
            ffi::lua_rawset(state, -3);
        }
    }
}

/// Below this many bytes a copy is cheaper than keeping the plugin's block.
const EXTERNAL: usize = 4096;

/// A block of bytes that Lua holds as a string without having copied it.
struct External {
    buffer: *const abi::BufHdr,
    vm: *const Vm,
    len: usize,
}

/// Without a limit: how many such bytes may come before garbage is looked for. Lua's collector does
/// not know of them.
const COLLECT_AFTER: usize = 64 << 20;

/// Pushes a block of bytes, as a string that points to it when it is large. Raises.
unsafe fn push_buffer(state: *mut lua_State, vm: &Vm, buffer: *const abi::BufHdr) {
    // SAFETY: a live buffer, with a zero byte behind its bytes. `External` is Lua's before it raises.
    unsafe {
        let (ptr, len) = ((*buffer).ptr, (*buffer).len);
        if len < EXTERNAL {
            ffi::lua_pushlstring(state, ptr.cast(), len);
            return;
        }
        let inner = vm.inner();
        let limit = match inner.limit.get() {
            0 => inner.external_after.get().max(COLLECT_AFTER),
            limit => limit,
        };
        let over = || {
            let used = ffi::lua_gc(state, ffi::LUA_GCCOUNT) as usize * 1024;
            used.saturating_add(inner.external.get())
                .saturating_add(len)
                > limit
        };
        if over() {
            ffi::lua_gc(state, ffi::LUA_GCCOLLECT);
            inner.external_after.set(2 * inner.external.get());
            if over() && inner.limit.get() != 0 {
                ffi::lua_pushstring(state, errors::NO_MEMORY.as_ptr());
                ffi::lua_error(state);
            }
        }
        ((*(*buffer).vt).retain)(buffer);
        inner.external.set(inner.external.get() + len);
        let external = Box::into_raw(Box::new(External { buffer, vm, len }));
        ffi::lua_pushexternalstring(state, ptr.cast(), len, Some(free_external), external.cast());
    }
}

unsafe extern "C" fn free_external(
    external: *mut c_void,
    _: *mut c_void,
    _: usize,
    _: usize,
) -> *mut c_void {
    // SAFETY: Lua gives back what `push_buffer` gave it, once, before the VM ends.
    unsafe {
        let external = Box::from_raw(external.cast::<External>());
        let inner = (*external.vm).inner();
        inner.external.set(inner.external.get() - external.len);
        ((*(*external.buffer).vt).release)(external.buffer);
    }
    std::ptr::null_mut()
}

/// Pushes a value of the kit, protected.
pub(crate) unsafe fn push_value(
    state: *mut lua_State,
    vm: &Vm,
    value: &dyn IntoVal,
    bound: Option<Bound>,
) -> bool {
    let mut arena = Arena::default();
    let (val, good) = match value.to_val(&mut arena) {
        Ok(val) => (val, true),
        Err(error) => (error.to_val(&mut arena).unwrap_or(Val::NIL), false),
    };
    // SAFETY: as `push_protected`'s; the arena lives through it.
    unsafe { push_protected(state, vm, &val, bound) && good }
}
