//! `async`: coroutines that run beside the script; and `coroutine.resume`/`wrap` that let builtins
//! wait inside coroutines of the script's own.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use assay_plugin::Error;
use assay_plugin::abi::level;
use tokio::time::Sleep;

use super::native::{self, Frame, Native};
use super::state::{Vm, VmRef};
use super::task::{Cancel, Coroutine, Ended, is_waiting, push_waiting};
use super::{errors, ffi, lua_State};

pub(crate) static FUNCTIONS: &[Native] = &[
    Native {
        family: "async",
        name: c"spawn",
        run: spawn,
    },
    Native {
        family: "async",
        name: c"spawn_interval",
        run: spawn_interval,
    },
];

/// The functions that wait: `lua_CFunction`s of their own, since they yield.
pub(crate) const WAITING: [(&std::ffi::CStr, ffi::lua_CFunction); 3] =
    [(c"all", all), (c"race", race), (c"timeout", timeout)];

// ---- tasks ----

/// A coroutine that was spawned.
pub(crate) struct Spawned {
    /// `file:line` of the spawn, for messages.
    origin: String,
    cancel: Rc<Cancel>,
    end: RefCell<Option<End>>,
    waiters: RefCell<Vec<Waker>>,
    /// Whether somebody asked for the end, and so will see an error.
    awaited: Cell<bool>,
}

enum End {
    Returned(Coroutine, c_int),
    Raised(Coroutine),
    Cancelled,
}

impl Spawned {
    fn new(origin: String) -> Self {
        Self {
            origin,
            cancel: Rc::default(),
            end: RefCell::default(),
            waiters: RefCell::default(),
            awaited: Cell::new(false),
        }
    }

    fn finish(self: &Rc<Self>, vm: &VmRef, end: End) {
        let error = match &end {
            End::Raised(coroutine) => Some(coroutine.error()),
            _ => None,
        };
        if let End::Returned(coroutine, _) | End::Raised(coroutine) = &end {
            // SAFETY: an ended thread of the VM; below what is asked for, every stack has some slots more.
            unsafe {
                ffi::lua_checkstack(coroutine.state(), 1);
                push_waiting(coroutine.state());
            }
        }
        *self.end.borrow_mut() = Some(end);
        for waiter in self.waiters.take() {
            waiter.wake();
        }
        if let Some(error) = error
            && !self.awaited.get()
        {
            vm.inner()
                .unawaited
                .borrow_mut()
                .push((Rc::clone(self), error));
        }
    }

    /// Ready when it has ended.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.end.borrow().is_some() {
            return Poll::Ready(());
        }
        let mut waiters = self.waiters.borrow_mut();
        if !waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            waiters.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn failed(&self) -> bool {
        matches!(&*self.end.borrow(), Some(End::Raised(_) | End::Cancelled))
    }

    fn cancel(&self) {
        if self.end.borrow().is_none() {
            self.awaited.set(true);
            self.cancel.cancel();
        }
    }
}

/// Starts the function at `index` with the arguments above it, which are moved off the stack.
unsafe fn start(frame: &Frame<'_>, index: c_int) -> Result<Rc<Spawned>, Error> {
    let (state, vm) = (frame.state, frame.vm);
    check_tasks(vm)?;
    let mut coroutine = Coroutine::new(vm)?;
    // SAFETY: the frame's state and a fresh thread of the same VM.
    unsafe {
        let count = ffi::lua_gettop(state) - index + 1;
        if ffi::lua_checkstack(coroutine.state(), count + 4) == 0 {
            return Err(errors::out_of_memory(vm));
        }
        ffi::lua_xmove(state, coroutine.state(), count);
        coroutine.set_nargs(count - 1);
    }
    Ok(launch(vm, coroutine, origin(state)))
}

fn check_tasks(vm: &Vm) -> Result<(), Error> {
    let running = vm.inner().spawned.borrow().len();
    match vm.config.task_limit {
        Some(limit) if running >= limit => Err(Error::new(
            "limit",
            format!("{running} tasks are running, which is all that may"),
        )
        .hint("raise the limit: --task-limit=NUMBER")),
        _ => Ok(()),
    }
}

fn launch(vm: &Vm, coroutine: Coroutine, origin: String) -> Rc<Spawned> {
    let spawned = Rc::new(Spawned::new(origin));
    let (this, vm_ref) = (Rc::clone(&spawned), vm.to_ref());
    let running = Running::new(vm, &spawned);
    vm.spawn(Box::pin(async move {
        let end = run(&this.cancel, coroutine).await;
        drop(running);
        this.finish(&vm_ref, end);
        if this.failed() && !this.awaited.get() {
            tokio::time::sleep(GRACE).await;
            report_unawaited(&vm_ref);
        }
    }));
    spawned
}

/// How long an error waits for somebody to await it before it is logged.
const GRACE: Duration = Duration::from_secs(1);

async fn run(cancel: &Cancel, mut coroutine: Coroutine) -> End {
    match cancel.run(&mut coroutine).await {
        None => End::Cancelled,
        Some(Ended::Returned(results)) => End::Returned(coroutine, results),
        Some(Ended::Raised) => End::Raised(coroutine),
    }
}

/// Counts a spawned task as running, for the word at the script's end.
struct Running(VmRef, u64);

impl Running {
    fn new(vm: &Vm, spawned: &Rc<Spawned>) -> Self {
        let inner = vm.inner();
        let id = inner.tickets.get() + 1;
        inner.tickets.set(id);
        inner.spawned.borrow_mut().insert(id, Rc::clone(spawned));
        Self(vm.to_ref(), id)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.inner().spawned.borrow_mut().remove(&self.1);
    }
}

/// `file:line` of the Lua function that called.
fn origin(state: *mut lua_State) -> String {
    // SAFETY: an open state.
    match unsafe { errors::find_line(state) } {
        Some(info) => {
            // SAFETY: Lua ended the name with a zero.
            let source = unsafe { std::ffi::CStr::from_ptr(info.short_src.as_ptr()) };
            format!("{}:{}", source.to_string_lossy(), info.currentline)
        }
        None => "?".into(),
    }
}

/// Logs what nobody awaited, and what still runs; when the script has ended.
pub(crate) fn report(vm: &Vm) {
    report_unawaited(vm);
    for spawned in vm.inner().spawned.borrow().values() {
        // The script's last word was to cancel it.
        if spawned.cancel.is_cancelled() {
            continue;
        }
        let message = format!(
            "the script ended while a task spawned at {} was still running: it was cancelled",
            spawned.origin
        );
        vm.config.log.write(level::WARN, &message, None);
    }
}

/// Logs the errors of tasks that nobody awaited.
pub(crate) fn report_unawaited(vm: &Vm) {
    for (spawned, error) in vm.inner().unawaited.take() {
        if spawned.awaited.get() {
            continue;
        }
        let origin = &spawned.origin;
        let message = format!("a task spawned at {origin} failed, and nobody awaited it: {error}");
        vm.config.log.write(level::ERROR, &message, None);
    }
}

// ---- handles ----

unsafe fn spawn(frame: &Frame<'_>) -> Result<c_int, Error> {
    frame.callable(1)?;
    // SAFETY: the frame's.
    unsafe {
        let spawned = start(frame, 1)?;
        push_handle(frame, spawned)
    }
}

unsafe fn spawn_interval(frame: &Frame<'_>) -> Result<c_int, Error> {
    let every = seconds(frame, 1)?;
    frame.callable(2)?;
    check_tasks(frame.vm)?;
    // SAFETY: the frame's state; the function is kept in the registry while the task lives.
    unsafe {
        let reference =
            super::object::keep(frame.state, 2).ok_or_else(|| errors::out_of_memory(frame.vm))?;
        let origin = origin(frame.state);
        let spawned = Rc::new(Spawned::new(origin.clone()));
        let this = Rc::clone(&spawned);
        let ticker = Ticker {
            vm: frame.vm.to_ref(),
            reference,
            every,
            origin,
        };
        let running = Running::new(frame.vm, &spawned);
        let vm_ref = frame.vm.to_ref();
        frame.vm.spawn(Box::pin(async move {
            let _ = this.cancel.run(Box::pin(ticker.run())).await;
            drop(running);
            this.finish(&vm_ref, End::Cancelled);
        }));
        push_handle(frame, spawned)
    }
}

struct Ticker {
    vm: VmRef,
    reference: c_int,
    every: Duration,
    origin: String,
}

impl Ticker {
    async fn run(self) {
        loop {
            tokio::time::sleep(self.every).await;
            let coroutine = Coroutine::new(&self.vm).inspect(|coroutine| {
                // SAFETY: a fresh thread has room for a value.
                unsafe {
                    ffi::lua_rawgeti(
                        coroutine.state(),
                        ffi::LUA_REGISTRYINDEX,
                        self.reference.into(),
                    );
                }
            });
            let error = match coroutine {
                Ok(mut coroutine) => match (&mut coroutine).await {
                    Ended::Returned(_) => continue,
                    Ended::Raised => coroutine.error(),
                },
                Err(error) => error.into(),
            };
            let message = format!("the interval set at {} failed: {error}", self.origin);
            self.vm.config.log.write(level::ERROR, &message, None);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        super::object::unref(&self.vm, self.reference);
    }
}

/// A number of seconds that can be waited.
fn seconds(frame: &Frame<'_>, index: c_int) -> Result<Duration, Error> {
    let seconds = frame.number(index)?;
    if !(0.0..=3.2e9).contains(&seconds) {
        return Err(Error::argument(format!(
            "argument {index}: expected seconds from 0 to 100 years, got {seconds}"
        )));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// What a handle's userdata points to.
type HandleBox = Rc<Spawned>;

/// Pushes `{await = ..., cancel = ...}`: closures, so that `h.await()` works as `h:await()` does.
unsafe fn push_handle(frame: &Frame<'_>, spawned: HandleBox) -> Result<c_int, Error> {
    let pointer = Rc::into_raw(spawned);
    let vm = std::ptr::from_ref(frame.vm);
    // SAFETY: protected; the closure owns nothing. The userdata takes the count over as soon as it
    // is there.
    unsafe {
        let mut taken = false;
        let flag: *mut bool = &mut taken;
        ffi::lua_settop(frame.state, 0);
        let mut job = HandleJob {
            pointer,
            vm,
            taken: flag,
        };
        ffi::lua_pushcfunction(frame.state, handle_job);
        ffi::lua_pushlightuserdata(frame.state, (&raw mut job).cast::<c_void>());
        let status = ffi::lua_pcall(frame.state, 1, 1, 0);
        if !taken {
            drop(Rc::from_raw(pointer));
        }
        if status != ffi::LUA_OK {
            return Err(errors::out_of_memory(frame.vm));
        }
    }
    Ok(1)
}

struct HandleJob {
    pointer: *const Spawned,
    vm: *const Vm,
    taken: *mut bool,
}

unsafe extern "C-unwind" fn handle_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected by `push_handle`.
    unsafe {
        let job = &*ffi::lua_touserdata(state, 1).cast::<HandleJob>();
        ffi::lua_createtable(state, 0, 2);
        let userdata =
            ffi::lua_newuserdatauv(state, size_of::<*const Spawned>(), 0).cast::<*const Spawned>();
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcfunction(state, drop_handle);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        userdata.write(job.pointer);
        ffi::lua_setmetatable(state, -2);
        *job.taken = true;
        for (name, function) in [
            (c"await", await_ as ffi::lua_CFunction),
            (c"cancel", cancel),
        ] {
            ffi::lua_pushvalue(state, -1);
            ffi::lua_pushlightuserdata(state, job.vm.cast_mut().cast());
            ffi::lua_pushcclosure(state, function, 2);
            ffi::lua_setfield(state, -3, name.as_ptr());
        }
        ffi::lua_pop(state, 1);
    }
    1
}

unsafe extern "C-unwind" fn drop_handle(state: *mut lua_State) -> c_int {
    // SAFETY: collected once.
    unsafe {
        drop(Rc::from_raw(
            *ffi::lua_touserdata(state, 1).cast::<*const Spawned>(),
        ))
    };
    0
}

unsafe extern "C-unwind" fn cancel(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `handle_job`.
    unsafe {
        let spawned =
            *ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<*const Spawned>();
        (*spawned).cancel();
    }
    0
}

// ---- waiting ----

/// What a coroutine waits for, in a to-be-closed userdata on its stack.
struct Group {
    members: Vec<Rc<Spawned>>,
    mode: Mode,
    timer: Option<Pin<Box<Sleep>>>,
    /// In seconds, for the message.
    limit: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// One that somebody else may await too: leaving does not cancel it.
    Await,
    All,
    Race,
    Timeout,
}

enum Outcome {
    /// The results of this member.
    One(usize),
    /// A list of everyone's first result.
    List,
    Error(usize),
    TimedOut,
}

impl Group {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut pending = false;
        for (at, member) in self.members.iter().enumerate() {
            let ended = member.poll(cx).is_ready();
            if ended && member.failed() {
                return Poll::Ready(Outcome::Error(at));
            }
            if ended && self.mode != Mode::All {
                return Poll::Ready(Outcome::One(at));
            }
            pending |= !ended;
        }
        if let Some(timer) = &mut self.timer
            && pending
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Outcome::TimedOut);
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(Outcome::List)
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.mode != Mode::Await {
            for member in &self.members {
                member.cancel();
            }
        }
    }
}

unsafe extern "C-unwind" fn await_(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `handle_job`.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(2)).cast::<Vm>();
        ffi::lua_settop(state, 0);
        let slot = reserve(state);
        let spawned =
            *ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<*const Spawned>();
        Rc::increment_strong_count(spawned);
        let group = Group {
            members: vec![Rc::from_raw(spawned)],
            mode: Mode::Await,
            timer: None,
            limit: 0.0,
        };
        *slot = Box::into_raw(Box::new(group));
        wait(state, vm)
    }
}

unsafe extern "C-unwind" fn all(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with the VM as upvalue.
    unsafe { gather(state, Mode::All) }
}

unsafe extern "C-unwind" fn race(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { gather(state, Mode::Race) }
}

unsafe extern "C-unwind" fn timeout(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { gather(state, Mode::Timeout) }
}

unsafe fn gather(state: *mut lua_State, mode: Mode) -> c_int {
    // SAFETY: `prepare` owns nothing when it returns.
    unsafe {
        let vm = &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Vm>();
        ffi::luaL_checkstack(state, 16, std::ptr::null());
        let nargs = ffi::lua_gettop(state);
        let slot = reserve(state);
        ffi::lua_insert(state, 1);
        if !prepare(state, vm, nargs, mode, slot) {
            ffi::lua_error(state);
        }
        ffi::lua_settop(state, 1);
        wait(state, vm)
    }
}

/// Starts the group's members; false when an error is on top. Index 1 is the reserved slot.
unsafe fn prepare(
    state: *mut lua_State,
    vm: &Vm,
    nargs: c_int,
    mode: Mode,
    slot: *mut *mut Group,
) -> bool {
    static NAMES: [Native; 3] = [
        Native {
            family: "async",
            name: c"all",
            run: |_| Ok(0),
        },
        Native {
            family: "async",
            name: c"race",
            run: |_| Ok(0),
        },
        Native {
            family: "async",
            name: c"timeout",
            run: |_| Ok(0),
        },
    ];
    // SAFETY: as `gather`'s.
    unsafe {
        match members(state, vm, nargs, mode) {
            Ok(group) => {
                *slot = Box::into_raw(Box::new(group));
                true
            }
            Err(error) => {
                let name = match mode {
                    Mode::All | Mode::Await => &NAMES[0],
                    Mode::Race => &NAMES[1],
                    Mode::Timeout => &NAMES[2],
                };
                native::fail(state, vm, name, error);
                false
            }
        }
    }
}

unsafe fn members(
    state: *mut lua_State,
    vm: &Vm,
    nargs: c_int,
    mode: Mode,
) -> Result<Group, Error> {
    let mut group = Group {
        members: Vec::new(),
        mode,
        timer: None,
        limit: 0.0,
    };
    // SAFETY: as `gather`'s. Arguments are numbered from 1, and one up on the stack.
    unsafe {
        // A frame whose indices are the stack's.
        let frame = Frame {
            state,
            vm,
            nargs: nargs + 1,
        };
        let shift = |error: Error| -> Error { renumber(&error) };
        if mode == Mode::Timeout {
            let limit = seconds(&frame, 2).map_err(shift)?;
            frame.callable(3).map_err(shift)?;
            group.limit = limit.as_secs_f64();
            group.timer = Some(Box::pin(tokio::time::sleep(limit)));
            let spawned = start(&frame, 3)?;
            spawned.awaited.set(true);
            group.members.push(spawned);
            return Ok(group);
        }
        if ffi::lua_istable(state, 2) == 0 {
            return Err(shift(frame.expected(2, "a list of functions")));
        }
        let count = ffi::lua_rawlen(state, 2);
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 2) != 0 {
            ffi::lua_pop(state, 1);
            // Nothing is left out silently.
            if ffi::lua_isinteger(state, -1) == 0
                || !(1..=count as ffi::lua_Integer).contains(&ffi::lua_tointeger(state, -1))
            {
                let key = errors::describe(state, ffi::lua_gettop(state));
                return Err(Error::argument(format!(
                    "argument 1: expected a list of functions, got the key `{key}`"
                )));
            }
        }
        if count == 0 && mode == Mode::Race {
            return Err(Error::argument(
                "argument 1: expected at least one function",
            ));
        }
        for at in 1..=count {
            ffi::lua_settop(state, 2);
            ffi::lua_rawgeti(state, 2, at as ffi::lua_Integer);
            let top = Frame {
                state,
                vm,
                nargs: 3,
            };
            if top.callable(3).is_err() {
                return Err(Error::argument(format!(
                    "argument 1: item {at}: expected function, got {}",
                    top.type_name(3)
                )));
            }
            let spawned = start(&top, 3)?;
            spawned.awaited.set(true);
            group.members.push(spawned);
        }
    }
    Ok(group)
}

/// The slot below moved every argument up by one.
fn renumber(error: &Error) -> Error {
    let message = error.message().replacen("argument 2", "argument 1", 1);
    let message = if message == error.message() {
        message.replacen("argument 3", "argument 2", 1)
    } else {
        message
    };
    Error::argument(message)
}

/// Pushes an empty slot for a [`Group`]. Raises.
unsafe fn reserve(state: *mut lua_State) -> *mut *mut Group {
    // SAFETY: called with nothing owned.
    unsafe {
        let slot = ffi::lua_newuserdatauv(state, size_of::<*mut Group>(), 0).cast::<*mut Group>();
        slot.write(std::ptr::null_mut());
        ffi::lua_createtable(state, 0, 2);
        for name in [c"__gc", c"__close"] {
            ffi::lua_pushcfunction(state, drop_group);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_setmetatable(state, -2);
        slot
    }
}

unsafe extern "C-unwind" fn drop_group(state: *mut lua_State) -> c_int {
    // SAFETY: the userdata is ours; emptied before it is freed.
    unsafe {
        let slot = ffi::lua_touserdata(state, 1).cast::<*mut Group>();
        let group = std::mem::replace(&mut *slot, std::ptr::null_mut());
        if !group.is_null() {
            drop(Box::from_raw(group));
        }
    }
    0
}

/// Waits for the group in the slot at index 1, the only value on the stack.
unsafe fn wait(state: *mut lua_State, vm: &Vm) -> c_int {
    // SAFETY: called with nothing owned.
    unsafe {
        ffi::lua_toclose(state, 1);
        go_on(
            state,
            ffi::LUA_OK,
            std::ptr::from_ref(vm) as ffi::lua_KContext,
        )
    }
}

unsafe extern "C-unwind" fn go_on(state: *mut lua_State, _: c_int, vm: ffi::lua_KContext) -> c_int {
    // SAFETY: resumed where it left; `step` owns nothing when it returns.
    unsafe {
        ffi::lua_settop(state, 1);
        let this = &*(vm as *const Vm);
        match step(state, this) {
            Step::Pending => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, vm, Some(go_on))
            }
            Step::Results(count) => count,
            Step::List => {
                push_list(state, *ffi::lua_touserdata(state, 1).cast::<*mut Group>());
                1
            }
            Step::Error => ffi::lua_error(state),
        }
    }
}

enum Step {
    Pending,
    Results(c_int),
    List,
    Error,
}

unsafe fn step(state: *mut lua_State, vm: &Vm) -> Step {
    // SAFETY: as `go_on`'s.
    unsafe {
        let group = &mut **ffi::lua_touserdata(state, 1).cast::<*mut Group>();
        for member in &group.members {
            member.awaited.set(true);
        }
        let Some(waiter) = vm.waiter().filter(|_| ffi::lua_isyieldable(state) != 0) else {
            let error = Error::new(
                "yield",
                "async: cannot wait here: the caller is a C function, such as table.sort or string.gsub, or a metamethod called by one",
            );
            errors::push(state, vm, &error, None);
            return Step::Error;
        };
        match group.poll(&mut Context::from_waker(waiter.waker())) {
            Poll::Pending => Step::Pending,
            Poll::Ready(Outcome::List) => Step::List,
            Poll::Ready(Outcome::TimedOut) => {
                let error = Error::new(
                    "timeout",
                    format!("async.timeout: not done within {} s", group.limit),
                );
                errors::push(state, vm, &error, None);
                Step::Error
            }
            Poll::Ready(Outcome::One(at)) => {
                let end = group.members[at].end.borrow();
                let Some(End::Returned(coroutine, count)) = &*end else {
                    return Step::Results(0);
                };
                if ffi::lua_checkstack(state, *count + 4) == 0 {
                    errors::push(
                        state,
                        vm,
                        &Error::new("stack", "async: the Lua stack is full"),
                        None,
                    );
                    return Step::Error;
                }
                copy(coroutine.state(), state, *count);
                Step::Results(*count)
            }
            Poll::Ready(Outcome::Error(at)) => {
                let end = group.members[at].end.borrow();
                match &*end {
                    // The very value that was raised.
                    Some(End::Raised(coroutine)) => copy(coroutine.state(), state, 1),
                    _ => {
                        let error = Error::new("cancelled", "async: the task was cancelled");
                        errors::push(state, vm, &error, None);
                    }
                }
                Step::Error
            }
        }
    }
}

/// Copies the last values of an ended task onto another thread, which has room.
unsafe fn copy(from: *mut lua_State, to: *mut lua_State, count: c_int) {
    // SAFETY: threads of one VM.
    unsafe {
        let first = ffi::lua_gettop(from) - count;
        if ffi::lua_checkstack(from, count) == 0 {
            return;
        }
        for at in first..first + count {
            ffi::lua_pushvalue(from, at);
        }
        ffi::lua_xmove(from, to, count);
    }
}

/// Pushes a list of everyone's first result. Raises; the group stays in its userdata.
unsafe fn push_list(state: *mut lua_State, group: *mut Group) {
    // SAFETY: as `go_on`'s.
    unsafe {
        let count = (*group).members.len();
        ffi::lua_createtable(state, count as c_int, 0);
        for at in 0..count {
            push_first(state, group, at);
            ffi::lua_rawseti(state, -2, at as ffi::lua_Integer + 1);
        }
    }
}

unsafe fn push_first(state: *mut lua_State, group: *mut Group, at: usize) {
    // SAFETY: as above; nothing here raises.
    unsafe {
        match &*(&(*group).members)[at].end.borrow() {
            Some(End::Returned(coroutine, count)) if *count > 0 => {
                let from = coroutine.state();
                let first = ffi::lua_gettop(from) - count;
                if ffi::lua_checkstack(from, 1) != 0 {
                    ffi::lua_pushvalue(from, first);
                    ffi::lua_xmove(from, state, 1);
                    return;
                }
                ffi::lua_pushnil(state);
            }
            _ => ffi::lua_pushnil(state),
        }
    }
}

// ---- the script's own coroutines ----

/// Replaces what is in the way of coroutines that wait in the table on top. Raises.
pub(crate) unsafe fn install(state: *mut lua_State) {
    // SAFETY: called protected, when the VM is made.
    unsafe {
        for (name, function) in [
            (c"isyieldable", isyieldable as ffi::lua_CFunction),
            (c"resume", resume),
            (c"running", running),
            (c"wrap", wrap),
            (c"yield", yield_),
        ] {
            ffi::lua_pushcfunction(state, function);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        for (name, function) in [(c"close", close as ffi::lua_CFunction), (c"status", status)] {
            ffi::lua_getfield(state, -1, name.as_ptr());
            ffi::lua_pushcclosure(state, function, 1);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

/// Whether nobody resumed the thread but the runtime, which is not to be yielded to.
unsafe fn is_root(state: *mut lua_State) -> bool {
    // SAFETY: an open state.
    unsafe { std::ptr::eq(crate::vm::of(state).inner().root.get().0, state) }
}

unsafe fn is_main(state: *mut lua_State) -> bool {
    // SAFETY: an open state.
    unsafe { is_root(state) && crate::vm::of(state).inner().root.get().1 }
}

/// As Lua's: the script itself is a coroutine of ours, and the main one to it.
unsafe extern "C-unwind" fn running(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let is_main = is_main(state);
        if is_root(state) && !is_main {
            crate::vm::of(state).inner().exposed.set(true);
        }
        ffi::lua_pushthread(state);
        ffi::lua_pushboolean(state, is_main.into());
    }
    2
}

/// Whether `coroutine.yield` has somebody to yield to: libraries ask before they do. Builtins wait all
/// the same.
unsafe extern "C-unwind" fn isyieldable(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let thread = thread(state);
        let yieldable = ffi::lua_isyieldable(thread) != 0 && !is_root(thread);
        ffi::lua_pushboolean(state, yieldable.into());
    }
    1
}

unsafe extern "C-unwind" fn yield_(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if !is_root(state) {
            return ffi::lua_yield(state, ffi::lua_gettop(state));
        }
        ffi::lua_pushstring(state, c"attempt to yield from outside a coroutine".as_ptr());
        ffi::lua_error(state)
    }
}

/// The thread that is the first argument; the running one without any.
unsafe fn thread(state: *mut lua_State) -> *mut lua_State {
    // SAFETY: called by a function that Lua called.
    unsafe {
        if ffi::lua_type(state, 1) == ffi::LUA_TNONE {
            return state;
        }
        ffi::luaL_checktype(state, 1, ffi::LUA_TTHREAD);
        ffi::lua_tothread(state, 1)
    }
}

/// As Lua's, but what waits for a builtin is its resumer's.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua, with Lua's own function as upvalue.
    unsafe {
        let thread = thread(state);
        if std::ptr::eq(thread, state) && is_main(state) {
            return ffi::luaL_error(state, c"cannot close main thread".as_ptr());
        }
        if is_ours(thread) {
            if ffi::lua_status(thread) == ffi::LUA_YIELD {
                return ffi::luaL_error(state, c"cannot close a normal coroutine".as_ptr());
            }
            ffi::lua_pushboolean(state, 1);
            return 1;
        }
        ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)).map_or(0, |original| original(state))
    }
}

/// Whether a coroutine waits for a builtin, and somebody for it, so that it goes on by itself; or is a
/// task that has ended, and its results wait. `drive` leaves the resumer on its stack, which may have
/// been cancelled meanwhile.
unsafe fn is_ours(thread: *mut lua_State) -> bool {
    // SAFETY: an open state.
    unsafe {
        is_waiting(thread)
            || ffi::lua_status(thread) == ffi::LUA_YIELD
                && ffi::lua_gettop(thread) > 0
                && ffi::lua_isthread(thread, -1) != 0
                && ffi::lua_status(ffi::lua_tothread(thread, -1)) == ffi::LUA_YIELD
    }
}

unsafe extern "C-unwind" fn status(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTHREAD);
        let thread = ffi::lua_tothread(state, 1);
        if is_ours(thread) {
            let waits = ffi::lua_status(thread) == ffi::LUA_YIELD;
            ffi::lua_pushstring(state, if waits { c"normal" } else { c"dead" }.as_ptr());
            return 1;
        }
        ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)).map_or(0, |original| original(state))
    }
}

/// As Lua's, but a coroutine that waits for a builtin makes its resumer wait too.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTHREAD);
        let nargs = ffi::lua_gettop(state) - 1;
        match drive(state, 1, nargs, false) {
            Drive::Waiting => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, 0, Some(resume_on))
            }
            Drive::Done(count) => finish_resume(state, count),
            Drive::Failed => fail_resume(state),
        }
    }
}

unsafe extern "C-unwind" fn resume_on(
    state: *mut lua_State,
    _: c_int,
    _: ffi::lua_KContext,
) -> c_int {
    // SAFETY: resumed where it left; the thread is at index 1.
    unsafe {
        ffi::lua_settop(state, 1);
        match drive(state, 1, 0, true) {
            Drive::Waiting => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, 0, Some(resume_on))
            }
            Drive::Done(count) => finish_resume(state, count),
            Drive::Failed => fail_resume(state),
        }
    }
}

unsafe fn finish_resume(state: *mut lua_State, count: c_int) -> c_int {
    // SAFETY: the results are on top.
    unsafe {
        ffi::luaL_checkstack(state, 1, std::ptr::null());
        ffi::lua_pushboolean(state, 1);
        ffi::lua_insert(state, -(count + 1));
    }
    count + 1
}

unsafe fn fail_resume(state: *mut lua_State) -> c_int {
    // SAFETY: the error is on top.
    unsafe {
        ffi::lua_pushboolean(state, 0);
        ffi::lua_insert(state, -2);
    }
    2
}

enum Drive {
    Waiting,
    /// So many results on top.
    Done(c_int),
    /// The error is on top.
    Failed,
}

/// Resumes the thread at `index` with the `nargs` values on top; `again` if it waits, which is for the
/// same resumer alone to do.
unsafe fn drive(state: *mut lua_State, index: c_int, nargs: c_int, again: bool) -> Drive {
    // SAFETY: a thread is at the index.
    unsafe {
        let thread = ffi::lua_tothread(state, index);
        if !again && is_ours(thread) {
            let waits = ffi::lua_status(thread) == ffi::LUA_YIELD;
            let message = match waits {
                true => c"cannot resume non-suspended coroutine",
                false => c"cannot resume dead coroutine",
            };
            ffi::lua_pushstring(state, message.as_ptr());
            return Drive::Failed;
        }
        if ffi::lua_checkstack(thread, nargs + 2) == 0 {
            ffi::lua_pushstring(state, c"too many arguments to resume".as_ptr());
            return Drive::Failed;
        }
        ffi::lua_xmove(state, thread, nargs);
        let mut results = 0;
        let status =
            super::interrupt::resume(crate::vm::of(state), thread, state, nargs, &mut results);
        let stopped = status == ffi::LUA_YIELD && results == 0 && crate::vm::of(state).wants_stop();
        let waiting = status == ffi::LUA_YIELD && is_waiting(thread);
        if stopped || waiting {
            if ffi::lua_isyieldable(state) == 0 {
                ffi::lua_closethread(thread, state);
                ffi::lua_settop(thread, 0);
                ffi::lua_pushstring(
                    state,
                    c"a coroutine cannot wait here: its resumer was called by a C function"
                        .as_ptr(),
                );
                return Drive::Failed;
            }
            if waiting {
                ffi::lua_settop(thread, -2);
                ffi::lua_pushthread(state);
                ffi::lua_xmove(state, thread, 1);
            }
            return Drive::Waiting;
        }
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_xmove(thread, state, 1);
            return Drive::Failed;
        }
        if ffi::lua_checkstack(state, results + 2) == 0 {
            ffi::lua_pop(thread, results);
            ffi::lua_pushstring(state, c"too many results to resume".as_ptr());
            return Drive::Failed;
        }
        ffi::lua_xmove(thread, state, results);
        Drive::Done(results)
    }
}

unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, thread, 1);
        ffi::lua_pushcclosure(state, wrapped, 1);
    }
    1
}

unsafe extern "C-unwind" fn wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: a closure over the thread.
    unsafe {
        let nargs = ffi::lua_gettop(state);
        match drive(state, ffi::lua_upvalueindex(1), nargs, false) {
            Drive::Waiting => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, 0, Some(wrapped_on))
            }
            Drive::Done(count) => count,
            Drive::Failed => fail_wrapped(state),
        }
    }
}

unsafe extern "C-unwind" fn wrapped_on(
    state: *mut lua_State,
    _: c_int,
    _: ffi::lua_KContext,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::lua_settop(state, 0);
        match drive(state, ffi::lua_upvalueindex(1), 0, true) {
            Drive::Waiting => {
                push_waiting(state);
                ffi::lua_yieldk(state, 1, 0, Some(wrapped_on))
            }
            Drive::Done(count) => count,
            Drive::Failed => fail_wrapped(state),
        }
    }
}

/// As Lua's `wrap`: closes the coroutine, and puts the caller's place before a text.
unsafe fn fail_wrapped(state: *mut lua_State) -> c_int {
    // SAFETY: the error is on top; nothing is owned.
    unsafe {
        let thread = ffi::lua_tothread(state, ffi::lua_upvalueindex(1));
        let status = ffi::lua_status(thread);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_closethread(thread, state);
            // Closing may have raised another one.
            ffi::lua_xmove(thread, state, 1);
        }
        if ffi::lua_type(state, -1) == ffi::LUA_TSTRING && status != ffi::LUA_ERRMEM {
            ffi::luaL_where(state, 1);
            ffi::lua_insert(state, -2);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_error(state)
    }
}
