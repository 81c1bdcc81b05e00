//! The VM's shared structure.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;

use assay_plugin::abi::{FuncHdr, FuncVt, Val, VmHdr, VmVt};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::heap::State;
use super::task::{Cancel, RemoteCall, Waiter};
use super::{ffi, interrupt, lua_State};

/// A VM as plugins see it (`VmHdr` first) and as the rest of `lua` uses it.
///
/// Counted by hand, because plugins hold it through the wire. The last owner may be another
/// thread, so [`Vm::close`] empties what belongs to the VM's thread before that.
#[repr(C)]
pub(crate) struct Vm {
    header: VmHdr,
    count: AtomicUsize,
    thread: ThreadId,
    pthread: libc::pthread_t,
    closed: AtomicBool,
    /// A non-zero reason makes the hook raise; see [`Stop`].
    pub stop: AtomicU32,
    /// Nanoseconds that a shutdown may take.
    grace: AtomicU64,
    remote: Mutex<Remote>,
    pub config: crate::vm::Config,
    pub worker: crate::vm::Worker,
    inner: UnsafeCell<Inner>,
}

/// What belongs to the VM's thread.
pub(crate) struct Inner {
    /// Owns the state.
    lua: RefCell<Option<State>>,
    /// The main thread of the state: never runs code, lends its stack for work between calls.
    pub main: Cell<*mut lua_State>,
    /// The thread whose function is being called right now.
    pub current: Cell<*mut lua_State>,
    /// The coroutine that the loop runs, whatever it resumed itself; whether it is the script.
    pub root: Cell<(*mut lua_State, bool)>,
    /// Who waits for the coroutine that runs.
    pub waiter: Cell<Option<NonNull<Waiter>>>,
    /// Threads whose coroutines have ended, with the references that keep them.
    pub idle: RefCell<Vec<(*mut lua_State, c_int)>>,
    /// Whether a script has asked for a thread: then none is used twice.
    pub exposed: Cell<bool>,
    /// Whether the loop is polling tasks.
    polling: Cell<bool>,
    pub limit: Cell<usize>,
    /// Bytes of plugins that Lua strings point to: they count towards the limit.
    pub external: Cell<usize>,
    /// From how many on garbage is looked for, where there is no limit.
    pub external_after: Cell<usize>,
    /// Set by `call_now`: collection is off until the outermost call returns, so that no script can
    /// have the strings collected that a plugin is reading.
    pub paused: Cell<bool>,
    pub scratch: UnsafeCell<Scratch>,
    tasks: RefCell<FuturesUnordered<LocalTask>>,
    incoming: RefCell<Vec<LocalTask>>,
    /// What closures of plugins' functions point to, in chunks that never move.
    targets: RefCell<Vec<Vec<super::bridge::Target>>>,
    pub calls: RefCell<BTreeMap<u64, Rc<Cancel>>>,
    pub tickets: Cell<u64>,
    /// Spawned tasks that run.
    pub spawned: RefCell<BTreeMap<u64, Rc<super::coroutines::Spawned>>>,
    /// Errors of spawned tasks that nobody awaited so far.
    pub unawaited: RefCell<Vec<(Rc<super::coroutines::Spawned>, crate::Error)>>,
    /// Where the hook found the script when it was stopped: a traceback.
    pub stopped_at: RefCell<String>,
    /// What `os.exit` was called with.
    pub exit_code: Cell<i32>,
    /// Instructions so far, where they are limited.
    pub instructions: Cell<u64>,
    /// Bytes written so far, where they are limited.
    pub written: Cell<u64>,
    /// Whether the log was cut off by the limit.
    pub silenced: Cell<bool>,
    /// What `warn` got so far of a message that has more pieces.
    pub warning: RefCell<Vec<u8>>,
    /// Whether warnings are turned off.
    pub unwarned: Cell<bool>,
    /// The script's folder, which modules may come from.
    pub folder: RefCell<std::path::PathBuf>,
    /// How many workers it started.
    pub workers: Cell<u32>,
    /// What `env.set` changed, over the process's environment.
    pub environment: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    /// Bytes that natives build strings in; never shrinks below what is reasonable.
    pub buffer: UnsafeCell<Vec<u8>>,
}

impl Inner {
    /// Keeps a target as long as the VM.
    pub fn keep_target(&self, target: super::bridge::Target) -> *const super::bridge::Target {
        const CHUNK: usize = 64;
        let mut chunks = self.targets.borrow_mut();
        if chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunk = chunks.last_mut().expect("a chunk was just made sure of");
        chunk.push(target);
        &raw const chunk[chunk.len() - 1]
    }
}

pub(crate) type LocalTask = Pin<Box<dyn Future<Output = ()>>>;

/// Why the hook raises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Stop {
    None = 0,
    Timeout = 1,
    Interrupted = 2,
    /// Not decided yet: plugins are to be asked whether what runs ends by itself.
    Shutdown = 3,
    /// By `os.exit`.
    Exit = 4,
    /// The limit of instructions.
    Instructions = 5,
}

#[derive(Default)]
struct Remote {
    messages: Vec<Message>,
    waker: Option<Waker>,
}

/// What other threads ask of the VM's.
pub(crate) enum Message {
    Call(RemoteCall),
    Cancel(u64),
    Unref(i32),
}

static VM: VmVt = VmVt {
    size: size_of::<VmVt>() as u32,
    reserved: 0,
    retain,
    release,
};

unsafe extern "C" fn retain(vm: *const VmHdr) {
    // SAFETY: only called with the header of a `Vm`.
    unsafe { &*vm.cast::<Vm>() }
        .count
        .fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn release(vm: *const VmHdr) {
    // SAFETY: as above.
    if unsafe { &*vm.cast::<Vm>() }
        .count
        .fetch_sub(1, Ordering::AcqRel)
        == 1
    {
        // SAFETY: the last owner; it came from `Box::into_raw`.
        drop(unsafe { Box::from_raw(vm.cast::<Vm>().cast_mut()) });
    }
}

/// A counted reference to a [`Vm`].
pub(crate) struct VmRef(NonNull<Vm>);

impl VmRef {
    pub fn new(lua: State, config: crate::vm::Config) -> Self {
        interrupt::install();
        let limit = config.memory_limit.unwrap_or(0);
        let worker = config.worker.unwrap_or_else(crate::vm::Worker::first);
        let vm = Vm {
            header: VmHdr { vt: &VM },
            count: AtomicUsize::new(1),
            thread: std::thread::current().id(),
            pthread: interrupt::this_thread(),
            closed: AtomicBool::new(false),
            stop: AtomicU32::new(Stop::None as u32),
            grace: AtomicU64::new(0),
            remote: Mutex::default(),
            config,
            worker,
            inner: UnsafeCell::new(Inner {
                main: Cell::new(lua.main()),
                lua: RefCell::new(Some(lua)),
                current: Cell::new(std::ptr::null_mut()),
                root: Cell::new((std::ptr::null_mut(), false)),
                waiter: Cell::new(None),
                idle: RefCell::default(),
                exposed: Cell::new(false),
                polling: Cell::new(false),
                limit: Cell::new(limit),
                external: Cell::new(0),
                external_after: Cell::new(0),
                paused: Cell::new(false),
                scratch: UnsafeCell::default(),
                tasks: RefCell::default(),
                incoming: RefCell::default(),
                targets: RefCell::default(),
                calls: RefCell::default(),
                tickets: Cell::new(0),
                spawned: RefCell::default(),
                unawaited: RefCell::default(),
                stopped_at: RefCell::default(),
                exit_code: Cell::new(0),
                instructions: Cell::new(0),
                written: Cell::new(0),
                silenced: Cell::new(false),
                warning: RefCell::default(),
                unwarned: Cell::new(false),
                folder: RefCell::default(),
                workers: Cell::new(0),
                environment: RefCell::default(),
                buffer: UnsafeCell::default(),
            }),
        };
        Self(NonNull::from(Box::leak(Box::new(vm))))
    }

    pub fn as_ptr(&self) -> *const Vm {
        self.0.as_ptr()
    }
}

impl std::ops::Deref for VmRef {
    type Target = Vm;
    fn deref(&self) -> &Vm {
        // SAFETY: alive while counted.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for VmRef {
    fn clone(&self) -> Self {
        self.to_ref()
    }
}

impl Drop for VmRef {
    fn drop(&mut self) {
        // SAFETY: gives back what `self` counts.
        unsafe { release(self.0.as_ptr().cast()) }
    }
}

impl Vm {
    pub fn to_ref(&self) -> VmRef {
        self.count.fetch_add(1, Ordering::Relaxed);
        VmRef(NonNull::from(self))
    }

    pub fn header(&self) -> *const VmHdr {
        &raw const self.header
    }

    pub fn is_here(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What belongs to the VM's thread. Only there.
    pub fn inner(&self) -> &Inner {
        debug_assert!(self.is_here());
        // SAFETY: shared references only, and its cells are used on one thread: callers off the
        // thread go through `send`.
        unsafe { &*self.inner.get() }
    }

    /// Asks the VM's thread; `Err` gives the message back when the VM is closed.
    pub fn send(&self, message: Message) -> Result<(), Message> {
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return Err(message);
        }
        remote.messages.push(message);
        if let Some(waker) = remote.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Makes the VM's thread look at `stop` soon, whether it waits or runs Lua. Any thread.
    pub fn request_stop(&self, reason: Stop) {
        self.stop.store(reason as u32, Ordering::Release);
        let waker = {
            let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
            // Until it is closed, which takes the lock, the VM's thread is alive.
            if !self.is_closed() {
                interrupt::send(self.pthread);
            }
            remote.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Counts instructions; stops when there were too many. On the VM's thread.
    pub fn count(&self, instructions: u32) {
        let used = &self.inner().instructions;
        used.set(used.get() + u64::from(instructions));
        if self
            .config
            .instruction_limit
            .is_some_and(|limit| used.get() > limit)
        {
            let idle = Stop::None as u32;
            let _ = self.stop.compare_exchange(
                idle,
                Stop::Instructions as u32,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
    }

    /// Fails unless the script may do `permission` to `target`, as the kit's `Cx::require` does for plugins.
    pub fn require(&self, permission: &str, target: &str) -> Result<(), assay_plugin::Error> {
        if self.config.policy.allows(permission, target) {
            return Ok(());
        }
        let flag = permission.trim_start_matches("fs.");
        let message = format!("not allowed: {flag} {target}");
        Err(assay_plugin::Error::new("permission", message)
            .hint(format!("--allow-{flag}={target}")))
    }

    /// Counts bytes that the script writes; whether that many more may be.
    pub fn may_write(&self, bytes: usize) -> bool {
        let Some(limit) = self.config.output_limit else {
            return true;
        };
        let written = &self.inner().written;
        let sum = written.get().saturating_add(bytes as u64);
        let fits = sum <= limit;
        if fits {
            written.set(sum);
        }
        fits
    }

    /// Whether somebody asked for a stop.
    #[inline]
    pub fn wants_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire) != Stop::None as u32
    }

    pub fn stop_reason(&self) -> Stop {
        match self.stop.load(Ordering::Acquire) {
            1 => Stop::Timeout,
            2 => Stop::Interrupted,
            3 => Stop::Shutdown,
            4 => Stop::Exit,
            5 => Stop::Instructions,
            _ => Stop::None,
        }
    }

    /// As `request_stop`, unless a plugin says that what runs ends by itself. Any thread.
    pub fn request_shutdown(&self, grace: std::time::Duration) {
        self.grace.store(
            u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Release,
        );
        self.request_stop(Stop::Shutdown);
    }

    /// As `request_shutdown`, with nothing that a signal handler may not do.
    pub fn request_shutdown_in_handler(&self, grace: std::time::Duration) {
        self.grace.store(
            u64::try_from(grace.as_nanos()).unwrap_or(u64::MAX),
            Ordering::Release,
        );
        let idle = Stop::None as u32;
        let _ = self.stop.compare_exchange(
            idle,
            Stop::Shutdown as u32,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if !self.is_closed() {
            interrupt::send(self.pthread);
        }
    }

    /// Why to stop now. Asks the plugins first when a shutdown was requested. On the VM's thread.
    pub fn check_stop(&self) -> Stop {
        if self.stop_reason() == Stop::Shutdown {
            let goes_on = crate::plugins::load::shutdown(self.grace.load(Ordering::Acquire));
            let decided = if goes_on {
                Stop::None
            } else {
                Stop::Interrupted
            };
            // A stop that came meanwhile stays.
            let _ = self.stop.compare_exchange(
                Stop::Shutdown as u32,
                decided as u32,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
        self.stop_reason()
    }

    /// Limits the bytes of the Lua heap from now on.
    pub fn set_memory_limit(&self, bytes: usize) {
        if let Some(lua) = &*self.inner().lua.borrow() {
            lua.set_limit(bytes);
        }
    }

    /// Adds a future to those that run beside the script.
    pub fn spawn(&self, task: LocalTask) {
        let inner = self.inner();
        inner.incoming.borrow_mut().push(task);
        // The loop looks for it before it waits.
        if inner.polling.get() {
            return;
        }
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let waker = remote.waker.clone();
        drop(remote);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Who waits for the coroutine that runs.
    pub fn waiter(&self) -> Option<&Waiter> {
        // SAFETY: set while a coroutine is polled, which lends it.
        self.inner()
            .waiter
            .get()
            .map(|waiter| unsafe { waiter.as_ref() })
    }

    /// Runs the VM's tasks until `future`, one of them, ends; or until a stop is asked for.
    pub async fn run_until<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Result<T, Stop> {
        let slot = Rc::new(RefCell::new(None));
        let out = Rc::clone(&slot);
        self.inner()
            .incoming
            .borrow_mut()
            .push(Box::pin(async move {
                let result = future.await;
                *out.borrow_mut() = Some(result);
            }));
        std::future::poll_fn(|cx| {
            let stopped = self.poll_tasks(cx, || slot.borrow().is_some());
            match (slot.borrow_mut().take(), stopped) {
                (Some(result), _) => Poll::Ready(Ok(result)),
                (None, Some(reason)) => Poll::Ready(Err(reason)),
                (None, None) => Poll::Pending,
            }
        })
        .await
    }

    fn poll_tasks(&self, cx: &mut Context<'_>, done: impl Fn() -> bool) -> Option<Stop> {
        let inner = self.inner();
        loop {
            match self.check_stop() {
                Stop::None => {}
                reason => return Some(reason),
            }
            let messages = {
                let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
                if !remote
                    .waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
                {
                    remote.waker = Some(cx.waker().clone());
                }
                std::mem::take(&mut remote.messages)
            };
            for message in messages {
                self.receive(message);
            }
            inner
                .tasks
                .borrow_mut()
                .extend(inner.incoming.borrow_mut().drain(..));
            inner.polling.set(true);
            let polled = inner.tasks.borrow_mut().poll_next_unpin(cx);
            inner.polling.set(false);
            if done() {
                return None;
            }
            if !matches!(polled, Poll::Ready(Some(()))) && inner.incoming.borrow().is_empty() {
                return None;
            }
        }
    }

    fn receive(&self, message: Message) {
        match message {
            Message::Call(call) => super::task::start_remote(self, call),
            Message::Cancel(ticket) => super::task::cancel(self, ticket),
            // SAFETY: on the VM's thread, with an open state.
            Message::Unref(reference) => unsafe {
                ffi::luaL_unref(self.inner().main.get(), ffi::LUA_REGISTRYINDEX, reference);
            },
        }
    }

    /// Drops every task. Dropping one may spawn or call: goes on until nothing is left.
    pub fn cancel_tasks(&self) {
        let inner = self.inner();
        loop {
            let tasks = inner.tasks.take();
            let incoming = inner.incoming.take();
            if tasks.is_empty() && incoming.is_empty() {
                break;
            }
            drop((tasks, incoming));
        }
    }

    /// Cancels every task and closes the Lua state. Plugins' handles stay valid, and useless.
    pub fn close(&self) {
        let inner = self.inner();
        self.cancel_tasks();
        let messages = {
            let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
            self.closed.store(true, Ordering::Release);
            remote.waker = None;
            std::mem::take(&mut remote.messages)
        };
        drop(messages);
        drop(inner.unawaited.take());
        let lua = inner.lua.take();
        drop(lua);
        inner.main.set(std::ptr::null_mut());
    }

    /// Whether `bytes` more cannot hit the memory limit: then a push need not be protected.
    ///
    /// # Safety
    /// On the VM's thread.
    pub unsafe fn has_room(&self, state: *mut lua_State, bytes: usize) -> bool {
        let limit = self.inner().limit.get();
        if limit == 0 {
            return true;
        }
        // SAFETY: reads two counters of the state.
        let used = unsafe { ffi::lua_gc(state, ffi::LUA_GCCOUNT) } as usize * 1024;
        used.saturating_add(bytes).saturating_add(64 * 1024) < limit
    }
}

/// Memory for the views of one call: filled like a stack, emptied when the call returns.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Values of tables whose end is not reached yet.
    pub open: Vec<Val>,
    /// Finished arrays. A chunk never grows beyond its capacity, so what points into it stays.
    chunks: Vec<Vec<Val>>,
    chunk: usize,
    /// Function handles made for the call.
    functions: Vec<*const FuncHdr>,
}

/// A place in [`Scratch`] to go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    chunk: usize,
    len: usize,
    functions: usize,
}

impl Scratch {
    const CHUNK: usize = 256;

    pub fn mark(&self) -> Mark {
        Mark {
            chunk: self.chunk,
            len: self.chunks.get(self.chunk).map_or(0, Vec::len),
            functions: self.functions.len(),
        }
    }

    pub fn reset(&mut self, mark: Mark) {
        while self.functions.len() > mark.functions {
            let function = self.functions.pop().expect("longer than the mark");
            // SAFETY: a handle that `keep` took over.
            unsafe { ((*(*function).vt).release)(function) };
        }
        if self.chunk != mark.chunk {
            self.chunks.truncate(mark.chunk + 1);
            self.chunk = mark.chunk;
        }
        if let Some(chunk) = self.chunks.get_mut(mark.chunk) {
            chunk.truncate(mark.len);
        }
    }

    /// Moves the open values from `start` on into finished memory.
    pub fn finish(&mut self, start: usize) -> *const Val {
        let len = self.open.len() - start;
        let room = |chunk: &Vec<Val>| chunk.capacity() - chunk.len() >= len;
        if !self.chunks.get(self.chunk).is_some_and(room) {
            if self.chunks.is_empty() {
                self.chunk = 0;
            } else {
                self.chunk += 1;
            }
            self.chunks.truncate(self.chunk);
            self.chunks.push(Vec::with_capacity(len.max(Self::CHUNK)));
        }
        let chunk = &mut self.chunks[self.chunk];
        let at = chunk.len();
        chunk.extend(self.open.drain(start..));
        chunk[at..].as_ptr()
    }

    /// Takes a handle over until the call returns.
    pub fn keep(&mut self, function: *const FuncHdr) {
        self.functions.push(function);
    }
}

/// The vtable of functions that this host lends to plugins.
pub(crate) fn is_own_function(vt: *const FuncVt) -> bool {
    std::ptr::eq(vt, &super::task::FUNCTION)
}
