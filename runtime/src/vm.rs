//! A VM: its configuration, its life, and running scripts in it.

use std::cell::Cell;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_plugin::Func;
use assay_plugin::abi::PluginDecl;

use crate::Error;
use crate::log::Log;
use crate::lua::heap::State;
use crate::lua::native::{self, Native};
use crate::lua::state::{Stop, VmRef};
use crate::lua::task::{Coroutine, Ended};
use crate::lua::{
    assert, confine, coroutines, errors, ffi, json, lua_State, modules, process, stoppable, task,
};
use crate::plugins::Plugins;
use crate::policy::Policy;

/// Where `print` and `io.write` to standard output go.
pub type Output = Arc<dyn Fn(&[u8]) -> std::io::Result<()> + Send + Sync>;

/// Starts a worker on a thread of its own.
pub type StartWorker = Arc<dyn Fn(Worker) -> Result<(), Error> + Send + Sync>;

/// One of several VMs that run the same script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// What they share, and nobody else in the process has.
    pub group: u64,
    /// From 0 on; 0 was there first.
    pub index: u32,
}

impl Worker {
    /// One that has no others.
    pub(crate) fn first() -> Self {
        static GROUPS: AtomicU64 = AtomicU64::new(1);
        Self {
            group: GROUPS.fetch_add(1, Ordering::Relaxed),
            index: 0,
        }
    }
}

/// What a VM is made with.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Bytes that the Lua heap may take; `None` for no limit. 64 MB by default.
    pub memory_limit: Option<usize>,
    /// Wall time for one [`Vm::run`].
    pub timeout: Option<Duration>,
    /// Library roots, searched in order by `require`.
    pub roots: Vec<PathBuf>,
    /// The plugins that scripts can reach.
    pub plugins: Plugins,
    /// Where log lines go.
    pub log: Log,
    /// Where output goes.
    pub output: Output,
    /// What scripts may do; everything by default.
    pub policy: Policy,
    /// VM instructions that all runs together may take. A coroutine counts as a thousand from its start,
    /// and what builtins do does not count.
    pub instruction_limit: Option<u64>,
    /// Tasks of `async` that may be running at a time.
    pub task_limit: Option<usize>,
    /// Bytes that `print`, `io.write` and the log may write.
    pub output_limit: Option<u64>,
    /// Bytes that one answer from the network may have; plugins ask for it.
    pub response_limit: Option<u64>,
    /// Starts one more VM that runs what this one runs, with [`worker`](Self::worker) set to what it
    /// is given: a server's `workers` ask for it. Without it they fail.
    pub start_worker: Option<StartWorker>,
    /// Which of the VMs that run one script this is; the first of its own kind by default.
    pub worker: Option<Worker>,
    /// Families of the host's own, written with [`assay_plugin::family!`]: globals beside the
    /// builtins, which they replace where names are equal.
    pub families: Vec<&'static PluginDecl>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_limit: Some(64 << 20),
            timeout: None,
            roots: Vec::new(),
            plugins: Plugins::default(),
            log: Log::default(),
            output: Arc::new(process::to_stdout),
            policy: Policy::default(),
            instruction_limit: None,
            task_limit: None,
            output_limit: None,
            response_limit: None,
            start_worker: None,
            worker: None,
            families: Vec::new(),
        }
    }
}

/// A Lua VM with every builtin. Single-threaded; run it inside a tokio current-thread runtime with
/// I/O and time enabled.
pub struct Vm {
    shared: VmRef,
}

/// Asks a VM to end, from any thread or signal handler's helper.
#[derive(Clone)]
pub struct StopHandle(Arc<StopShared>);

struct StopShared(VmRef);

// SAFETY: only `request_stop` is reachable, which any thread may call; the last drop of a `VmRef` may
// happen anywhere by its counting.
#[allow(unsafe_code)]
unsafe impl Send for StopShared {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for StopShared {}

impl StopHandle {
    /// Ends the run: Lua code is interrupted at its next instructions, what waits is cancelled.
    pub fn stop(&self) {
        self.0.0.request_stop(Stop::Interrupted);
    }

    /// Asks plugins to end what they run (servers drain) within a grace period, then ends the run
    /// as [`stop`](Self::stop) does; unless a plugin answers that its calls will return by
    /// themselves: then the script goes on, and the caller should stop it when the time is up.
    pub fn shutdown(&self, grace: Duration) {
        self.0.0.request_shutdown(grace);
    }

    /// As [`shutdown`](Self::shutdown), from a signal handler: it takes no lock, and so does not wake
    /// a script that waits. The VM's thread must be alive.
    pub fn shutdown_in_handler(&self, grace: Duration) {
        self.0.0.request_shutdown_in_handler(grace);
    }
}

/// What ended a run from outside of the script's own course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// [`Config::timeout`].
    Timeout,
    /// A [`StopHandle`].
    Interrupted,
    /// `os.exit`, with this code.
    Exit(i32),
    /// [`Config::instruction_limit`].
    Instructions,
}

#[allow(unsafe_code)]
impl Vm {
    /// Makes a VM.
    ///
    /// # Errors
    /// When the memory limit does not even hold the builtins.
    pub fn new(config: Config) -> Result<Self, Error> {
        // The core families share one copy of the kit, which must know its host.
        crate::lua::host::init(crate::builtins::FAMILIES[0])?;
        let no_memory = || Error::new("memory", "no memory for a VM");
        let lua = State::new().ok_or_else(no_memory)?;
        let main = lua.main();
        let limit = config.memory_limit;
        let shared = VmRef::new(lua, config);
        let vm = Self { shared };
        // SAFETY: the fresh state's own thread; installing owns nothing while it may raise.
        let status = unsafe {
            let shared = &*vm.shared;
            ffi::lua_checkstack(main, 32);
            native::protected(main, |state| install(state, shared))
        };
        if status != ffi::LUA_OK {
            // SAFETY: the error is on top.
            return Err(Error::new("internal", unsafe {
                errors::describe(main, -1)
            }));
        }
        if let Some(limit) = limit {
            vm.shared.set_memory_limit(limit);
        }
        Ok(vm)
    }

    /// A handle to end the VM's run from elsewhere.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::new(StopShared(self.shared.clone())))
    }

    /// Bytes that the Lua heap takes now.
    pub fn used_memory(&self) -> usize {
        // SAFETY: reads two counters.
        unsafe {
            let main = self.shared.inner().main.get();
            ffi::lua_gc(main, ffi::LUA_GCCOUNT) as usize * 1024
                + ffi::lua_gc(main, ffi::LUA_GCCOUNTB) as usize
        }
    }

    /// Sets `arg`: the script at 0, its arguments from 1 on.
    ///
    /// # Errors
    /// For lack of memory.
    pub fn set_args(&self, script: &[u8], args: &[Vec<u8>]) -> Result<(), Error> {
        // SAFETY: the closure owns nothing.
        unsafe {
            self.on_main(|state| {
                ffi::lua_createtable(state, args.len() as c_int, 1);
                ffi::lua_pushlstring(state, script.as_ptr().cast(), script.len());
                ffi::lua_rawseti(state, -2, 0);
                for (at, arg) in args.iter().enumerate() {
                    ffi::lua_pushlstring(state, arg.as_ptr().cast(), arg.len());
                    ffi::lua_rawseti(state, -2, at as ffi::lua_Integer + 1);
                }
                ffi::lua_setglobal(state, c"arg".as_ptr());
            })
        }
    }

    /// Has modules beside a script found: puts `DIR/?.lua` and `DIR/?/init.lua` on `package.path`.
    ///
    /// # Errors
    /// For lack of memory.
    pub fn set_script_dir(&self, dir: &Path) -> Result<(), Error> {
        let folder = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        self.shared.inner().folder.replace(folder.into());
        if self.shared.config.policy.is_sandboxed() {
            // There is no `require`.
            return Ok(());
        }
        let dir = folder.display().to_string().replace(['?', ';'], "_");
        let path = format!("{dir}/?.lua;{dir}/?/init.lua");
        // SAFETY: as above.
        unsafe {
            self.on_main(|state| {
                ffi::lua_getglobal(state, c"package".as_ptr());
                ffi::lua_pushlstring(state, path.as_ptr().cast(), path.len());
                ffi::lua_setfield(state, -2, c"path".as_ptr());
            })
        }
    }

    /// Sets a variable of the environment as scripts see it, as `env.set` does.
    pub fn set_env(&self, name: &[u8], value: &[u8]) {
        let environment = &self.shared.inner().environment;
        environment
            .borrow_mut()
            .insert(name.to_vec(), Some(value.to_vec()));
    }

    /// Works on the main thread's stack, where only lack of memory can raise.
    ///
    /// # Safety
    /// The closure may own nothing while it may raise.
    unsafe fn on_main(&self, work: impl FnOnce(*mut lua_State)) -> Result<(), Error> {
        // SAFETY: the caller's promise; the main thread never runs code.
        match unsafe { native::protected(self.shared.inner().main.get(), work) } {
            ffi::LUA_OK => Ok(()),
            _ => Err(errors::out_of_memory(&self.shared).into()),
        }
    }

    /// Runs a chunk to its end. `name` is Lua's chunk name: `@file.lua`, `=(command line)`.
    ///
    /// What it spawned and did not await is cancelled when it ends. A VM that was stopped (by its
    /// timeout, a [`StopHandle`] or `os.exit`) stays stopped.
    ///
    /// # Errors
    /// What the script raised; kind `syntax` for what does not compile, `timeout`, `interrupted`,
    /// `memory` for what ended it from outside.
    pub async fn run(&self, name: &str, source: &[u8]) -> Result<(), Error> {
        self.execute(name, source, false).await.map(drop)
    }

    /// Runs a chunk and returns its first result, copied.
    ///
    /// # Errors
    /// As [`run`](Self::run), and for results that cannot be copied (coroutines).
    pub async fn eval(&self, name: &str, source: &[u8]) -> Result<assay_plugin::Value, Error> {
        self.execute(name, source, true).await
    }

    async fn execute(
        &self,
        name: &str,
        source: &[u8],
        wants_result: bool,
    ) -> Result<assay_plugin::Value, Error> {
        let shared = self.shared.clone();
        let mut coroutine = Coroutine::new(&shared)?;
        coroutine.set_main();
        // SAFETY: a fresh thread.
        unsafe { modules::compile(coroutine.state(), &shared, source, name)? };
        let alive = Rc::new(Cell::new(coroutine.state()));
        let mut result = self
            .limited(self.drive(coroutine, Rc::clone(&alive), wants_result))
            .await;
        if let Err(error) = &mut result
            && error.traceback.is_none()
            && !alive.get().is_null()
        {
            // Ended while it waited: there.
            // SAFETY: the coroutine lives, and does not run.
            error.traceback = Some(unsafe { task::traceback(&shared, alive.get()) });
        }
        match shared.stop_reason() {
            Stop::Interrupted | Stop::Exit => {}
            _ => coroutines::report(&shared),
        }
        // What the script spawned ends with it, also where the VM runs another one.
        shared.cancel_tasks();
        match shared.stop_reason() {
            Stop::None | Stop::Shutdown => result,
            // Whatever the script made of it, this is why it ended.
            reason => result
                .and(Err(errors::stopped(&shared, reason).into()))
                .map_err(|mut error| match error.kind.as_str() {
                    "timeout" | "interrupted" | "exit" | "instructions" => error,
                    _ => {
                        let mut stopped = Error::from(errors::stopped(&shared, reason));
                        stopped.traceback = error.traceback.take();
                        stopped
                    }
                }),
        }
    }

    /// What ended the last run, when it was not the script's own course.
    pub fn stopped(&self) -> Option<Stopped> {
        match self.shared.stop_reason() {
            Stop::None | Stop::Shutdown => None,
            Stop::Timeout => Some(Stopped::Timeout),
            Stop::Interrupted => Some(Stopped::Interrupted),
            Stop::Exit => Some(Stopped::Exit(self.shared.inner().exit_code.get())),
            Stop::Instructions => Some(Stopped::Instructions),
        }
    }

    /// Compiles a chunk into a function, to be called inside [`run_until`](Self::run_until).
    ///
    /// # Errors
    /// Of kind `syntax`, and for lack of memory.
    pub fn load(&self, name: &str, source: &[u8]) -> Result<Func, Error> {
        let coroutine = Coroutine::new(&self.shared)?;
        // SAFETY: a fresh thread, on which the function ends up.
        unsafe {
            modules::compile(coroutine.state(), &self.shared, source, name)?;
            Ok(task::function(coroutine.state(), &self.shared, 1)?)
        }
    }

    /// Runs the VM until a future ends: for hosts that call functions of scripts.
    /// [`Config::timeout`] holds for each such run.
    ///
    /// # Errors
    /// Kind `timeout` or `interrupted` for what ended the run from outside.
    pub async fn run_until<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> Result<T, Error> {
        let shared = &self.shared;
        let run = async {
            shared
                .run_until(future)
                .await
                .map_err(|reason| errors::stopped(shared, reason).into())
        };
        let result = self.limited(run).await;
        coroutines::report_unawaited(shared);
        result
    }

    /// Runs a future within the time limit.
    async fn limited<T>(&self, run: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let shared = &self.shared;
        let Some(timeout) = shared.config.timeout else {
            return run.await;
        };
        // For code that never waits; what waits is ended by tokio's timer.
        let deadline = Deadline::start(shared, timeout);
        let result = tokio::time::timeout(timeout, run)
            .await
            .unwrap_or_else(|_| {
                shared.request_stop(Stop::Timeout);
                Err(errors::stopped(shared, Stop::Timeout).into())
            });
        drop(deadline);
        result
    }

    /// Runs a coroutine; `alive` is null from when it is gone.
    async fn drive(
        &self,
        coroutine: Coroutine,
        alive: Rc<Cell<*mut lua_State>>,
        wants_result: bool,
    ) -> Result<assay_plugin::Value, Error> {
        struct Alive(Rc<Cell<*mut lua_State>>);
        impl Drop for Alive {
            fn drop(&mut self) {
                self.0.set(std::ptr::null_mut());
            }
        }
        let shared = self.shared.clone();
        let finished = self.shared.run_until(async move {
            let mut coroutine = coroutine;
            // Dropped before the coroutine.
            let _alive = Alive(alive);
            match (&mut coroutine).await {
                Ended::Raised => Err(coroutine.error()),
                Ended::Returned(_) if !wants_result => Ok(assay_plugin::Value::Nil),
                // SAFETY: the results are on the coroutine's stack.
                Ended::Returned(count) => unsafe { task::first_result(&coroutine, &shared, count) },
            }
        });
        match finished.await {
            Ok(result) => result,
            Err(reason) => {
                let place = self.shared.inner().stopped_at.take();
                let error = Error::from(errors::stopped(&self.shared, reason));
                Err(if place.is_empty() {
                    error
                } else {
                    error.with_traceback(place)
                })
            }
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// The VM of a state.
///
/// # Safety
/// The state must be one of a VM of ours.
#[allow(unsafe_code)]
pub(crate) unsafe fn of<'a>(state: *mut lua_State) -> &'a crate::lua::state::Vm {
    // SAFETY: `install` put the address there; the VM outlives its state.
    unsafe {
        ffi::lua_rawgetp(state, ffi::LUA_REGISTRYINDEX, (&raw const VM_KEY).cast());
        let vm = ffi::lua_touserdata(state, -1).cast::<crate::lua::state::Vm>();
        ffi::lua_pop(state, 1);
        &*vm
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn hook(state: *mut lua_State, event: *mut ffi::lua_Debug) {
    // SAFETY: called by Lua; `push` owns nothing when it returns.
    unsafe {
        let vm = of(state);
        if (*event).event == ffi::LUA_HOOKCOUNT && vm.config.instruction_limit.is_some() {
            vm.count(if vm.wants_stop() { 1 } else { COUNT });
        }
        let reason = if vm.wants_stop() {
            vm.check_stop()
        } else {
            Stop::None
        };
        if reason == Stop::None {
            rest_hook(state, vm);
            return;
        }
        vm.inner().stopped_at.replace(task::traceback(vm, state));
        if ffi::lua_isyieldable(state) != 0 {
            // Out of every `pcall` at once: unwinding them one by one takes time by their square.
            ffi::lua_yield(state, 0);
            return;
        }
        // Not by an error, which would first go to a message handler, and that would run without hooks.
        // The lack of memory goes past it: nothing has as much as this.
        ffi::lua_newuserdatauv(state, 1 << 47, 0);
    }
}

/// Instructions between two looks at how many there were.
pub(crate) const COUNT: u32 = 1000;

/// The hook of a thread that nobody wants to stop: none, or the one that counts.
#[allow(unsafe_code)]
pub(crate) unsafe fn rest_hook(state: *mut lua_State, vm: &crate::lua::state::Vm) {
    // SAFETY: an open state of the VM.
    unsafe {
        match vm.config.instruction_limit {
            Some(_) => ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, COUNT as c_int),
            None => ffi::lua_sethook(state, None, 0, 0),
        }
    }
}

/// From now on the hook looks at every instruction: a `pcall` around what it raises must not go on.
///
/// # Safety
/// An open state of a VM that is to stop.
#[allow(unsafe_code)]
pub(crate) unsafe fn stop_now(state: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe { ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, 1) }
}

/// The registry's key of the VM's address.
static VM_KEY: u8 = 0;

/// Sets the stop flag when time is up, so that code which never waits ends too.
struct Deadline(Arc<(std::sync::Mutex<bool>, std::sync::Condvar)>);

impl Deadline {
    fn start(vm: &VmRef, timeout: Duration) -> Self {
        let shared = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
        let watched = Arc::clone(&shared);
        let stop = StopShared(vm.clone());
        // A thread of its own: the VM's may be busy with Lua code.
        let spawned = std::thread::Builder::new()
            .name("assay-deadline".into())
            .spawn(move || {
                let stop = stop;
                let (over, signal) = &*watched;
                let over = over
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let waited = signal.wait_timeout_while(over, timeout, |over| !*over);
                if waited.is_ok_and(|(_, result)| result.timed_out()) {
                    stop.0.request_stop(Stop::Timeout);
                }
            });
        drop(spawned);
        Self(shared)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        *self
            .0
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

/// Every builtin. Raises on lack of memory; owns nothing.
#[allow(unsafe_code)]
unsafe fn install(state: *mut lua_State, vm: &crate::lua::state::Vm) {
    // SAFETY: called protected on a fresh state.
    unsafe {
        // All of them, `debug` too: scripts are trusted by default.
        ffi::luaL_openlibs(state);
        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
        ffi::lua_rawsetp(state, ffi::LUA_REGISTRYINDEX, (&raw const VM_KEY).cast());
        errors::install(state);
        task::install(state);
        json::install(state);
        for &family in crate::builtins::FAMILIES.iter().chain(&vm.config.families) {
            ffi::lua_createtable(state, 0, family.nfns as c_int);
            native::fill(state, vm, family);
            set_global(state, family.name.bytes());
        }
        for (name, functions) in [
            ("json", json::FUNCTIONS),
            ("env", process::ENV),
            ("log", process::LOG),
            ("async", coroutines::FUNCTIONS),
            ("assert", assert::FUNCTIONS),
        ] {
            push_natives(state, vm, functions);
            match name {
                "json" => {
                    ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
                    ffi::lua_setfield(state, -2, c"null".as_ptr());
                }
                "async" => {
                    for (name, function) in coroutines::WAITING {
                        ffi::lua_pushlightuserdata(state, std::ptr::from_ref(vm).cast_mut().cast());
                        ffi::lua_pushcclosure(state, function, 1);
                        ffi::lua_setfield(state, -2, name.as_ptr());
                    }
                }
                "assert" => assert::install(state, vm),
                _ => {}
            }
            set_global(state, name.as_bytes());
        }
        process::push_print(state, vm);
        set_global(state, b"print");
        ffi::lua_getglobal(state, c"os".as_ptr());
        native::push(state, vm, &process::GETENV);
        ffi::lua_setfield(state, -2, c"getenv".as_ptr());
        native::push(state, vm, &process::EXIT);
        ffi::lua_setfield(state, -2, c"exit".as_ptr());
        process::install_write(state, vm);
        process::install_warn(state, vm);
        ffi::lua_getglobal(state, c"coroutine".as_ptr());
        coroutines::install(state);
        modules::install(state, vm);
        ffi::lua_settop(state, 0);
        crate::plugins::install(state, vm);
        let config = &vm.config;
        if config.timeout.is_some()
            || config.instruction_limit.is_some()
            || config.policy.is_sandboxed()
        {
            stoppable::install(state);
        }
        confine::install(state, vm);
        // Coroutines inherit it.
        rest_hook(state, vm);
    }
}

#[allow(unsafe_code)]
unsafe fn push_natives(
    state: *mut lua_State,
    vm: &crate::lua::state::Vm,
    functions: &'static [Native],
) {
    // SAFETY: as `install`'s.
    unsafe {
        ffi::lua_createtable(state, 0, functions.len() as c_int + 2);
        for native in functions {
            native::push(state, vm, native);
            ffi::lua_setfield(state, -2, native.name.as_ptr());
        }
    }
}

/// Sets the value on top as a global.
#[allow(unsafe_code)]
unsafe fn set_global(state: *mut lua_State, name: &[u8]) {
    // SAFETY: as `install`'s.
    unsafe {
        ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_GLOBALS);
        ffi::lua_pushlstring(state, name.as_ptr().cast(), name.len());
        ffi::lua_rotate(state, -3, -1);
        ffi::lua_rawset(state, -3);
        ffi::lua_pop(state, 1);
    }
}

/// A size as people write it: `64MB`.
pub fn display_size(bytes: usize) -> String {
    for (unit, name) in [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}
