//! Coroutines as futures; calls that wait; Lua functions that plugins keep and call.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use assay_plugin::abi::{self, DoneFn, FuncHdr, FuncVt, Ret, Task, Val, WakerHdr};
use assay_plugin::wire::WakerHandle;
use assay_plugin::{Arena, Error, Func, IntoVal, Kind, MAX_DEPTH, Value, View};

use super::bridge::{self, Bound, Slot};
use super::state::{Message, Vm, VmRef};
use super::{errors, ffi, lua_State, object};

// ---- calls that wait ----

/// A pending call, in a userdata on the stack of the coroutine that waits for it: closed with the
/// coroutine, so that cancelling one cancels the other.
#[repr(C)]
pub(crate) struct Pending {
    pub task: Task,
}

/// The registry's key of the metatable of [`Pending`].
static PENDING: u8 = 0;

/// Makes the metatable of pending calls. Raises.
pub(crate) unsafe fn install(state: *mut lua_State) {
    // SAFETY: called protected, when the VM is made.
    unsafe {
        ffi::lua_createtable(state, 0, 2);
        ffi::lua_pushcfunction(state, drop_pending);
        ffi::lua_setfield(state, -2, c"__close".as_ptr());
        ffi::lua_pushcfunction(state, drop_pending);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, (&raw const PENDING).cast());
    }
}

unsafe extern "C-unwind" fn drop_pending(state: *mut lua_State) -> c_int {
    // SAFETY: the userdata is ours: scripts cannot reach it.
    unsafe {
        let pending = ffi::lua_touserdata(state, 1).cast::<Pending>();
        let task = std::mem::replace(&mut (*pending).task, NO_TASK);
        drop_task(task);
    }
    0
}

pub(crate) const NO_TASK: Task = Task {
    data: std::ptr::null_mut(),
    vt: std::ptr::null(),
};

pub(crate) unsafe fn drop_task(task: Task) {
    if !task.vt.is_null() {
        // SAFETY: a live task, dropped once.
        unsafe { ((*task.vt).drop)(task.data) };
    }
}

/// Pushes room for a task, before the plugin is called: then nothing is lost when memory is. Raises.
pub(crate) unsafe fn reserve(state: *mut lua_State) -> *mut Pending {
    // SAFETY: called by a trampoline, which owns nothing yet.
    unsafe {
        ffi::luaL_checkstack(state, 8, std::ptr::null());
        let pending = ffi::lua_newuserdatauv(state, size_of::<Pending>(), 0).cast::<Pending>();
        pending.write(Pending { task: NO_TASK });
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, (&raw const PENDING).cast());
        ffi::lua_setmetatable(state, -2);
        pending
    }
}

/// Polls a pending call once. The result, or the error, is on top when it ended. Does not raise.
pub(crate) unsafe fn poll(
    state: *mut lua_State,
    vm: &Vm,
    bound: Bound,
    pending: *mut Pending,
) -> i32 {
    // SAFETY: the pending call is live: it is on the stack.
    unsafe {
        let inner = vm.inner();
        let mut slot = Slot::new(state, vm, bound);
        let task = (*pending).task;
        let Some(waiter) = vm.waiter().filter(|_| ffi::lua_isyieldable(state) != 0) else {
            // No coroutine to wait in: let it end at once, or not at all.
            let waker = WakerHandle::new(Waker::noop());
            let status = ((*task.vt).poll)(task.data, waker.as_ptr(), slot.ret());
            if status != abi::PENDING {
                return slot.settle(status);
            }
            drop_task(std::mem::replace(&mut (*pending).task, NO_TASK));
            errors::push(
                state,
                vm,
                &Error::new("yield", "cannot wait here: the caller is a C function, such as table.sort or string.gsub, or a metamethod called by one")
                    .hint("call it before, and pass the result in"),
                Some(bound),
            );
            return abi::ERR;
        };
        let before = inner.current.replace(state);
        let status = ((*task.vt).poll)(task.data, waiter.handle(), slot.ret());
        inner.current.set(before);
        if status == abi::PENDING {
            return status;
        }
        slot.settle(status)
    }
}

/// What a coroutine yields to say that it waits.
static WAITING: u8 = 0;

pub(crate) unsafe fn push_waiting(state: *mut lua_State) {
    // SAFETY: an open state with room.
    unsafe { ffi::lua_pushlightuserdata(state, (&raw const WAITING).cast_mut().cast()) }
}

/// Whether that is what a coroutine yielded last: it stays on its stack.
pub(crate) unsafe fn is_waiting(state: *mut lua_State) -> bool {
    // SAFETY: an open state.
    unsafe {
        ffi::lua_gettop(state) > 0
            && ffi::lua_type(state, -1) == ffi::LUA_TLIGHTUSERDATA
            && std::ptr::eq(ffi::lua_touserdata(state, -1).cast_const().cast(), &WAITING)
    }
}

/// Yields until the task that was reserved on top ends. Leaves the function.
pub(crate) unsafe fn wait(state: *mut lua_State, pending: *mut Pending) -> c_int {
    // SAFETY: called by a trampoline, which owns nothing; the reserved slot is on top.
    unsafe {
        let index = ffi::lua_gettop(state);
        debug_assert!(std::ptr::eq(
            ffi::lua_touserdata(state, index).cast(),
            pending
        ));
        ffi::lua_toclose(state, index);
        push_waiting(state);
        ffi::lua_yieldk(state, 1, index as ffi::lua_KContext, Some(go_on))
    }
}

unsafe extern "C-unwind" fn go_on(
    state: *mut lua_State,
    _: c_int,
    index: ffi::lua_KContext,
) -> c_int {
    // SAFETY: resumed where `wait` left; owns nothing when it leaves again.
    unsafe {
        let index = index as c_int;
        let pending = ffi::lua_touserdata(state, index).cast::<Pending>();
        ffi::lua_settop(state, index);
        let (bound, vm) = bridge::upvalues(state);
        match poll(state, vm, bound, pending) {
            abi::PENDING => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, index as ffi::lua_KContext, Some(go_on))
            }
            abi::OK => 1,
            _ => ffi::lua_error(state),
        }
    }
}

// ---- coroutines ----

/// A Lua thread that runs as a future. Dropping it closes the thread: pending calls in it are
/// cancelled and its to-be-closed variables closed.
pub(crate) struct Coroutine {
    vm: VmRef,
    state: *mut lua_State,
    reference: c_int,
    /// Values on the stack to start with, besides the function.
    nargs: c_int,
    waiter: Waiter,
    returned: bool,
    /// Whether it is the script itself.
    main: bool,
}

/// Who waits for a coroutine.
#[derive(Default)]
pub(crate) struct Waiter {
    /// Lent while the coroutine is polled.
    waker: Cell<Option<NonNull<Waker>>>,
    /// For plugins, made when the first of their calls waits.
    handle: RefCell<Option<WakerHandle>>,
}

impl Waiter {
    pub fn waker(&self) -> &Waker {
        // SAFETY: set as long as anybody can see this, by `Coroutine::poll`.
        self.waker
            .get()
            .map_or(Waker::noop(), |waker| unsafe { waker.as_ref() })
    }

    /// Lent until the coroutine is polled again.
    fn handle(&self) -> *const WakerHdr {
        let mut handle = self.handle.borrow_mut();
        match &*handle {
            Some(handle) if handle.will_wake(self.waker()) => handle.as_ptr(),
            _ => handle.insert(WakerHandle::new(self.waker())).as_ptr(),
        }
    }
}

/// How many threads whose coroutines have ended are kept for others.
const IDLE: usize = 64;

/// How a coroutine ended; its results, or its error, are on its stack.
pub(crate) enum Ended {
    Returned(c_int),
    Raised,
}

impl Coroutine {
    /// A new thread; push a function and `nargs` arguments onto [`state`](Self::state).
    ///
    /// # Errors
    /// For lack of memory.
    pub fn new(vm: &Vm) -> Result<Self, Error> {
        let inner = vm.inner();
        if inner.main.get().is_null() {
            return Err(Error::new("closed", "the VM is closed"));
        }
        let idle = inner.idle.borrow_mut().pop();
        let (state, reference) = match idle {
            Some(thread) => thread,
            None => new_thread(vm)?,
        };
        Ok(Self {
            vm: vm.to_ref(),
            state,
            reference,
            nargs: 0,
            waiter: Waiter::default(),
            returned: false,
            main: false,
        })
    }

    pub fn state(&self) -> *mut lua_State {
        self.state
    }

    pub fn set_main(&mut self) {
        self.main = true;
    }

    pub fn set_nargs(&mut self, nargs: c_int) {
        self.nargs = nargs;
    }

    /// The error on top of the stack, as the runtime's record.
    pub fn error(&self) -> crate::Error {
        // SAFETY: the coroutine ended with an error, which is on top; its stack is not unwound.
        unsafe { raised(self.state, &self.vm) }
    }
}

/// A Lua thread, and the reference that keeps it.
fn new_thread(vm: &Vm) -> Result<(*mut lua_State, c_int), Error> {
    unsafe extern "C-unwind" fn job(state: *mut lua_State) -> c_int {
        // SAFETY: called protected.
        unsafe {
            ffi::lua_newthread(state);
            ffi::lua_pushvalue(state, -1);
            let reference = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            ffi::lua_pushinteger(state, reference.into());
        }
        2
    }
    let main = vm.inner().main.get();
    // SAFETY: on the VM's thread, with an open state; protected.
    unsafe {
        if ffi::lua_checkstack(main, 4) == 0 {
            return Err(errors::out_of_memory(vm));
        }
        ffi::lua_pushcfunction(main, job);
        let status = ffi::lua_pcall(main, 0, 2, 0);
        if status != ffi::LUA_OK {
            ffi::lua_pop(main, 1);
            return Err(errors::out_of_memory(vm));
        }
        let state = ffi::lua_tothread(main, -2);
        let reference = ffi::lua_tointeger(main, -1) as c_int;
        ffi::lua_pop(main, 2);
        Ok((state, reference))
    }
}

/// The first of a coroutine's results, copied.
pub(crate) unsafe fn first_result(
    coroutine: &Coroutine,
    vm: &Vm,
    count: c_int,
) -> Result<Value, crate::Error> {
    if count == 0 {
        return Ok(Value::Nil);
    }
    let state = coroutine.state();
    // SAFETY: the results are on the coroutine's stack.
    unsafe {
        let scratch = vm.inner().scratch.get();
        let mark = (*scratch).mark();
        let first = ffi::lua_gettop(state) - count + 1;
        let value =
            bridge::to_val(state, vm, first, MAX_DEPTH).and_then(|val| View::new(&val).to_value());
        (*scratch).reset(mark);
        Ok(value?)
    }
}

/// Reads the error on top of a thread that raised it.
pub(crate) unsafe fn raised(state: *mut lua_State, vm: &Vm) -> crate::Error {
    // SAFETY: an open state, with the error on top.
    unsafe {
        let status = ffi::lua_status(state);
        let traceback = traceback(vm, state);
        if status == ffi::LUA_ERRMEM {
            return crate::Error::from(errors::out_of_memory(vm)).with_traceback(traceback);
        }
        let main = lend_error(state, vm);
        let mut error = match errors::read(main, vm, ffi::lua_gettop(main)) {
            errors::Raised::Record(fields) => crate::Error::from_fields(fields),
            errors::Raised::Message(message) => crate::Error::new("error", message),
        };
        ffi::lua_pop(main, 1);
        error.message = errors::with_full_names(state, std::mem::take(&mut error.message));
        error.source = error
            .source
            .take()
            .map(|source| errors::with_full_names(state, source));
        error.with_traceback(traceback)
    }
}

/// Pushes the error on top of a thread that raised it onto the main thread: nothing can be called
/// on the one that raised.
unsafe fn lend_error(state: *mut lua_State, vm: &Vm) -> *mut lua_State {
    let main = vm.inner().main.get();
    // SAFETY: threads of one VM; the main one never runs code, so it has room.
    unsafe {
        ffi::lua_checkstack(main, 8);
        if ffi::lua_checkstack(state, 1) == 0 {
            ffi::lua_pushstring(main, c"stack overflow".as_ptr());
            return main;
        }
        ffi::lua_pushvalue(state, -1);
        ffi::lua_xmove(state, main, 1);
    }
    main
}

/// The traceback of a thread that raised, as `luaL_traceback` writes it.
pub(crate) unsafe fn traceback(vm: &Vm, of: *mut lua_State) -> String {
    unsafe extern "C-unwind" fn job(state: *mut lua_State) -> c_int {
        // SAFETY: called protected, with the thread.
        unsafe {
            let of = ffi::lua_touserdata(state, 1).cast::<lua_State>();
            ffi::luaL_traceback(state, of, std::ptr::null(), 0);
        }
        1
    }
    let main = vm.inner().main.get();
    // SAFETY: on the VM's thread, with an open state; protected.
    unsafe {
        ffi::lua_pushcfunction(main, job);
        ffi::lua_pushlightuserdata(main, of.cast());
        ffi::lua_pcall(main, 1, 1, 0);
        let mut len = 0;
        let text = ffi::lua_tolstring(main, -1, &mut len);
        let text = match text.is_null() {
            true => String::new(),
            false => String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), len))
                .into_owned(),
        };
        ffi::lua_pop(main, 1);
        errors::with_full_names(of, text)
    }
}

impl Future for Coroutine {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        this.waiter.waker.set(Some(NonNull::from(cx.waker())));
        let inner = this.vm.inner();
        let before = inner.waiter.replace(Some(NonNull::from(&this.waiter)));
        let root = inner.root.replace((this.state, this.main));
        let mut results = 0;
        // SAFETY: on the VM's thread; the state is open while tasks are polled.
        let status = unsafe {
            super::interrupt::resume(
                &this.vm,
                this.state,
                std::ptr::null_mut(),
                std::mem::take(&mut this.nargs),
                &mut results,
            )
        };
        inner.waiter.set(before);
        this.waiter.waker.set(None);
        inner.root.set(root);
        match status {
            // It waits; or the hook took it out, and it will not go on.
            ffi::LUA_YIELD => Poll::Pending,
            ffi::LUA_OK => {
                this.returned = true;
                Poll::Ready(Ended::Returned(results))
            }
            _ => Poll::Ready(Ended::Raised),
        }
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        let main = self.vm.inner().main.get();
        if main.is_null() {
            return;
        }
        let inner = self.vm.inner();
        // SAFETY: on the VM's thread, with an open state; closing a thread is protected by Lua.
        unsafe {
            if self.returned {
                ffi::lua_settop(self.state, 0);
                let mut idle = inner.idle.borrow_mut();
                // A script that knows a thread must not meet it again as somebody else's.
                if !self.main && !inner.exposed.get() && idle.len() < IDLE {
                    crate::vm::rest_hook(self.state, &self.vm);
                    idle.push((self.state, self.reference));
                    return;
                }
            } else {
                ffi::lua_closethread(self.state, main);
            }
            ffi::luaL_unref(main, ffi::LUA_REGISTRYINDEX, self.reference);
        }
    }
}

/// Lets a task be cancelled from elsewhere.
#[derive(Default)]
pub(crate) struct Cancel {
    cancelled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Cancel {
    pub fn cancel(&self) {
        self.cancelled.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Runs a future until it ends or is cancelled; dropped at once when cancelled.
    pub async fn run<F: Future + Unpin>(&self, mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            if self.cancelled.get() {
                return Poll::Ready(None);
            }
            let polled = Pin::new(&mut future).poll(cx);
            if polled.is_pending() {
                // It may have cancelled itself.
                if self.cancelled.get() {
                    return Poll::Ready(None);
                }
                *self.waker.borrow_mut() = Some(cx.waker().clone());
            }
            polled.map(Some)
        })
        .await
    }
}

// ---- Lua functions in the hands of plugins ----

/// A Lua function that a plugin keeps.
#[repr(C)]
struct Kept {
    header: FuncHdr,
    count: AtomicUsize,
    vm: VmRef,
    reference: c_int,
}

pub(crate) static FUNCTION: FuncVt = FuncVt {
    size: size_of::<FuncVt>() as u32,
    reserved: 0,
    retain,
    release,
    call,
    cancel: cancel_call,
    call_now,
};

unsafe extern "C" fn retain(function: *const FuncHdr) {
    // SAFETY: only called with the header of a `Kept`.
    unsafe { &*function.cast::<Kept>() }
        .count
        .fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn release(function: *const FuncHdr) {
    let kept = function.cast::<Kept>();
    // SAFETY: as above; the last owner frees what `keep_function` made.
    unsafe {
        if (*kept).count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let kept = Box::from_raw(kept.cast_mut());
            object::unref(&kept.vm, kept.reference);
        }
    }
}

/// A counted handle to the function at an absolute index. Does not raise.
pub(crate) unsafe fn keep_function(
    state: *mut lua_State,
    vm: &Vm,
    index: c_int,
) -> Result<*const FuncHdr, Error> {
    // SAFETY: as `keep`'s.
    let reference =
        unsafe { object::keep(state, index) }.ok_or_else(|| errors::out_of_memory(vm))?;
    let kept = Kept {
        header: FuncHdr { vt: &FUNCTION },
        count: AtomicUsize::new(1),
        vm: vm.to_ref(),
        reference,
    };
    Ok(Box::into_raw(Box::new(kept)).cast())
}

/// The function at an absolute index, as plugins hold it. Does not raise.
pub(crate) unsafe fn function(state: *mut lua_State, vm: &Vm, index: c_int) -> Result<Func, Error> {
    // SAFETY: as `keep_function`'s, whose count is given back once the handle has its own.
    unsafe {
        let kept = keep_function(state, vm, index)?;
        let val = Val {
            tag: abi::tag::FUNC,
            len: 0,
            u: abi::ValU { fun: kept },
        };
        let kind = View::new(&val).kind();
        release(kept);
        match kind? {
            Kind::Func(function) => Ok(function),
            _ => Err(Error::new("internal", "a function is no function")),
        }
    }
}

/// Pushes a function that this VM lent; nil for others'.
pub(crate) unsafe fn push_kept(state: *mut lua_State, vm: &Vm, function: *const FuncHdr) {
    // SAFETY: a live function; its vtable says whose it is.
    unsafe {
        let kept = function.cast::<Kept>();
        if super::state::is_own_function((*function).vt) && std::ptr::eq((*kept).vm.as_ptr(), vm) {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, (*kept).reference.into());
        } else {
            ffi::lua_pushnil(state);
        }
    }
}

/// Tells a plugin the end of its call, exactly once: when dropped, that the VM closed.
struct Done {
    done: DoneFn,
    ud: *mut c_void,
    told: bool,
}

impl Done {
    fn new(done: DoneFn, ud: *mut c_void) -> Self {
        Self {
            done,
            ud,
            told: false,
        }
    }

    fn tell(mut self, status: i32, val: &Val) {
        self.told = true;
        // SAFETY: called once; the value is lent.
        unsafe { (self.done)(self.ud, status, val) };
    }

    fn fail(self, error: &Error) {
        let mut arena = Arena::default();
        let val = error.to_val(&mut arena).unwrap_or(Val::NIL);
        self.tell(abi::ERR, &val);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if !self.told {
            let reason = Error::new("cancelled", "the call was cancelled, or the VM closed");
            Self::new(self.done, self.ud).fail(&reason);
        }
    }
}

/// A call of a Lua function from another thread.
pub(crate) struct RemoteCall {
    function: *const FuncHdr,
    args: Vec<Value>,
    done: Done,
    ticket: u64,
}

// SAFETY: the function is counted by the message, and `Done` may be told on any thread.
unsafe impl Send for RemoteCall {}

impl Drop for RemoteCall {
    fn drop(&mut self) {
        // SAFETY: gives back what `call` retained.
        unsafe { release(self.function) };
    }
}

/// Tickets of calls that came from other threads.
static REMOTE_TICKETS: AtomicUsize = AtomicUsize::new(1);
const REMOTE: u64 = 1 << 63;

unsafe extern "C" fn call(
    function: *const FuncHdr,
    args: *const Val,
    nargs: u32,
    done: DoneFn,
    ud: *mut c_void,
) -> u64 {
    // SAFETY: a live function of ours, and arguments lent for the call.
    unsafe {
        let kept = &*function.cast::<Kept>();
        let done = Done::new(done, ud);
        if kept.vm.is_here() {
            if kept.vm.inner().main.get().is_null() {
                // `done` never runs inside `call`; on a closed VM nothing runs later. The caller's
                // future is not waited for by anything of this VM either, so telling it now is safe.
                done.fail(&Error::new("closed", "vm closed"));
                return 0;
            }
            let ticket = kept.vm.inner().tickets.get() + 1;
            kept.vm.inner().tickets.set(ticket);
            pause(&kept.vm);
            start(&kept.vm, kept.reference, args, nargs, done, ticket);
            return ticket;
        }
        let args = (0..nargs as usize)
            .map(|at| View::new(&*args.add(at)).to_value())
            .collect();
        let args: Vec<Value> = match args {
            Ok(args) => args,
            Err(error) => {
                done.fail(&error);
                return 0;
            }
        };
        let ticket = REMOTE | REMOTE_TICKETS.fetch_add(1, Ordering::Relaxed) as u64;
        retain(function);
        let message = RemoteCall {
            function,
            args,
            done,
            ticket,
        };
        // A closed VM gives the message back; dropping it tells so.
        drop(kept.vm.send(Message::Call(message)));
        ticket
    }
}

/// Collection stays off while a plugin reads views, once Lua code or allocations may run meanwhile.
unsafe fn pause(vm: &Vm) {
    let inner = vm.inner();
    if !inner.current.get().is_null() && !inner.paused.replace(true) {
        // SAFETY: an open state, on its thread.
        unsafe { ffi::lua_gc(inner.main.get(), ffi::LUA_GCSTOP) };
    }
}

pub(crate) fn start_remote(vm: &Vm, mut call: RemoteCall) {
    let mut arena = Arena::default();
    let args: Result<Vec<Val>, Error> =
        call.args.iter().map(|arg| arg.to_val(&mut arena)).collect();
    let done = std::mem::replace(
        &mut call.done,
        Done {
            told: true,
            ..Done::new(ignore, std::ptr::null_mut())
        },
    );
    // SAFETY: the message counts the function; the arguments live through the call.
    unsafe {
        let kept = &*call.function.cast::<Kept>();
        match args {
            Ok(args) => start(
                vm,
                kept.reference,
                args.as_ptr(),
                args.len() as u32,
                done,
                call.ticket,
            ),
            Err(error) => done.fail(&error),
        }
    }
}

unsafe extern "C" fn ignore(_: *mut c_void, _: i32, _: *const Val) {}

/// Starts a coroutine for a call; its end is told from the VM's loop.
unsafe fn start(vm: &Vm, reference: c_int, args: *const Val, nargs: u32, done: Done, ticket: u64) {
    let prepared = Coroutine::new(vm).and_then(|mut coroutine| {
        let state = coroutine.state();
        // SAFETY: a fresh thread; pushes are protected.
        unsafe {
            if ffi::lua_checkstack(state, nargs as c_int + 8) == 0 {
                return Err(errors::out_of_memory(vm));
            }
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, reference.into());
            for at in 0..nargs as usize {
                if !bridge::push_protected(state, vm, &*args.add(at), None) {
                    return Err(errors::out_of_memory(vm));
                }
            }
        }
        coroutine.set_nargs(nargs as c_int);
        Ok(coroutine)
    });
    let cancel = Rc::new(Cancel::default());
    vm.inner()
        .calls
        .borrow_mut()
        .insert(ticket, Rc::clone(&cancel));
    let this = vm.to_ref();
    vm.spawn(Box::pin(async move {
        match prepared {
            Ok(coroutine) => finish(&this, &cancel, coroutine, done).await,
            Err(error) => done.fail(&error),
        }
        this.inner().calls.borrow_mut().remove(&ticket);
    }));
}

async fn finish(vm: &Vm, cancel: &Cancel, mut coroutine: Coroutine, done: Done) {
    let Some(ended) = cancel.run(&mut coroutine).await else {
        drop(coroutine);
        return done.fail(&Error::new("cancelled", "the call was cancelled"));
    };
    let state = coroutine.state();
    // SAFETY: the coroutine ended; results or error are on its stack while the value is told.
    unsafe {
        match ended {
            Ended::Returned(results) => {
                let scratch = vm.inner().scratch.get();
                let mark = (*scratch).mark();
                let first = ffi::lua_gettop(state) - results + 1;
                let val = match results {
                    0 => Ok(Val::NIL),
                    _ => bridge::to_val(state, vm, first, MAX_DEPTH),
                };
                match val {
                    Ok(val) => done.tell(abi::OK, &val),
                    Err(error) => done.fail(&error.context("the function's result")),
                }
                (*scratch).reset(mark);
            }
            Ended::Raised => {
                let traceback = traceback(vm, state);
                let main = lend_error(state, vm);
                let mut arena = Arena::default();
                let val = errors::to_val(
                    main,
                    vm,
                    ffi::lua_gettop(main),
                    Some(&traceback),
                    &mut arena,
                );
                ffi::lua_pop(main, 1);
                done.tell(abi::ERR, &val);
            }
        }
    }
}

unsafe extern "C" fn cancel_call(function: *const FuncHdr, ticket: u64) {
    // SAFETY: a live function of ours.
    let kept = unsafe { &*function.cast::<Kept>() };
    if kept.vm.is_here() {
        cancel(&kept.vm, ticket);
    } else {
        drop(kept.vm.send(Message::Cancel(ticket)));
    }
}

pub(crate) fn cancel(vm: &Vm, ticket: u64) {
    let cancel = vm.inner().calls.borrow().get(&ticket).cloned();
    if let Some(cancel) = cancel {
        cancel.cancel();
    }
}

unsafe extern "C" fn call_now(
    function: *const FuncHdr,
    args: *const Val,
    nargs: u32,
    ret: *mut Ret,
) -> i32 {
    // SAFETY: a live function of ours, inside a call on the VM's thread.
    unsafe {
        let kept = &*function.cast::<Kept>();
        let vm = &*kept.vm;
        let refuse = |message: &str| {
            let mut arena = Arena::default();
            let val = Error::new("thread", message)
                .to_val(&mut arena)
                .unwrap_or(Val::NIL);
            ((*ret).set)(ret, &val);
            abi::ERR
        };
        if !vm.is_here() || vm.inner().current.get().is_null() {
            return refuse(
                "a function can be called at once only inside a call, on the VM's thread",
            );
        }
        pause(vm);
        let state = vm.inner().current.get();
        let top = ffi::lua_gettop(state);
        if ffi::lua_checkstack(state, nargs as c_int + 16) == 0 {
            return refuse("the Lua stack is full");
        }
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, kept.reference.into());
        for at in 0..nargs as usize {
            bridge::push_protected(state, vm, &*args.add(at), None);
        }
        let scratch = vm.inner().scratch.get();
        let mark = (*scratch).mark();
        let status = ffi::lua_pcall(state, nargs as c_int, 1, 0);
        let result = if status == ffi::LUA_OK {
            match bridge::to_val(state, vm, ffi::lua_gettop(state), MAX_DEPTH) {
                Ok(val) => {
                    ((*ret).set)(ret, &val);
                    abi::OK
                }
                Err(error) => refuse(&error.to_string()),
            }
        } else {
            let mut arena = Arena::default();
            let val = errors::to_val(state, vm, ffi::lua_gettop(state), None, &mut arena);
            ((*ret).set)(ret, &val);
            abi::ERR
        };
        (*scratch).reset(mark);
        ffi::lua_settop(state, top);
        result
    }
}
