//! What plugins may ask of the host: services, log, permissions; and the reactor over tokio.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use assay_plugin::abi::{
    self, HostApi, LimitsApi, ReactorApi, Ret, Str, Task, Val, VmHdr, WakerHdr, WorkersApi,
};
use assay_plugin::wire::{WakerHandle, borrow_waker, fail};
use assay_plugin::{Error, View};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, Sleep};

use super::state::Vm;
use super::task::drop_task;

/// The table given to every plugin.
pub(crate) static HOST: HostApi = HostApi {
    size: size_of::<HostApi>() as u32,
    major: abi::ABI_MAJOR,
    minor: abi::ABI_MINOR,
    service,
    log,
    allowed,
};

static REACTOR: ReactorApi = ReactorApi {
    size: size_of::<ReactorApi>() as u32,
    reserved: 0,
    io_new,
    io_poll,
    io_clear,
    io_drop,
    timer_new,
    timer_poll,
    timer_reset,
    timer_drop,
    spawn,
};

static WORKERS: WorkersApi = WorkersApi {
    size: size_of::<WorkersApi>() as u32,
    reserved: 0,
    identify,
    start,
};

static LIMITS: LimitsApi = LimitsApi {
    size: size_of::<LimitsApi>() as u32,
    reserved: 0,
    limit,
};

/// The services of this host, as notes name them.
pub(crate) const SERVICES: &[&str] = &["assay.reactor/1", "assay.workers/1", "assay.limits/1"];

unsafe extern "C" fn service(name: Str) -> *const c_void {
    // SAFETY: lent for the call.
    match unsafe { name.bytes() } {
        b"assay.reactor/1" => (&raw const REACTOR).cast(),
        b"assay.workers/1" => (&raw const WORKERS).cast(),
        b"assay.limits/1" => (&raw const LIMITS).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn log(vm: *const VmHdr, level: u32, message: Str, fields: *const Val) {
    // SAFETY: lent for the call; the VM is one of ours or null.
    unsafe {
        let message = String::from_utf8_lossy(message.bytes());
        let fields = fields.as_ref().map(|val| View::new(val));
        match vm.cast::<Vm>().as_ref() {
            Some(vm) => vm.config.log.write(level, &message, fields),
            None => crate::log::Log::default().write(level, &message, fields),
        }
    }
}

unsafe extern "C" fn allowed(vm: *const VmHdr, permission: Str, target: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        let Some(vm) = vm.cast::<Vm>().as_ref() else {
            return 1;
        };
        i32::from(vm.config.policy.allows(permission.text(), target.text()))
    }
}

struct Fd(RawFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

unsafe extern "C" fn io_new(fd: i32) -> *mut c_void {
    // Without a tokio context (a host that forgot it) registering panics: contained, it is a null.
    let made = assay_plugin::panic::contain(|| {
        // SAFETY: the plugin keeps the descriptor open until `io_drop`, as the ABI says.
        unsafe { AsyncFd::register(Fd(fd)) }.ok()
    });
    match made {
        Ok(Some(io)) => Box::into_raw(Box::new(io)).cast(),
        _ => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn io_poll(io: *mut c_void, direction: u32, waker: *const WakerHdr) -> i32 {
    // SAFETY: what `io_new` made, on its thread; the waker is lent for the call.
    let (io, waker) = unsafe { (&*io.cast::<AsyncFd<Fd>>(), borrow_waker(waker)) };
    let mut cx = Context::from_waker(&waker);
    let ready = match direction {
        1 => io.poll_read_ready(&mut cx).map(drop_guard),
        _ => io.poll_write_ready(&mut cx).map(drop_guard),
    };
    if ready.is_pending() {
        abi::PENDING
    } else {
        abi::OK
    }
}

/// A failed poll is reported as ready: the operation itself will say what is wrong.
fn drop_guard<T>(_: std::io::Result<T>) {}

unsafe extern "C" fn io_clear(io: *mut c_void, direction: u32) {
    // SAFETY: as above.
    let io = unsafe { &*io.cast::<AsyncFd<Fd>>() };
    // The driver runs on this thread only, so the readiness seen now is the one that misled.
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match direction {
        1 => {
            if let Poll::Ready(Ok(mut guard)) = io.poll_read_ready(&mut cx) {
                guard.clear_ready();
            }
        }
        _ => {
            if let Poll::Ready(Ok(mut guard)) = io.poll_write_ready(&mut cx) {
                guard.clear_ready();
            }
        }
    }
}

unsafe extern "C" fn io_drop(io: *mut c_void) {
    // SAFETY: dropped once.
    drop(unsafe { Box::from_raw(io.cast::<AsyncFd<Fd>>()) });
}

/// The longest that a timer runs: longer ones end then. A century.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

unsafe extern "C" fn timer_new(nanos: u64) -> *mut c_void {
    let made = assay_plugin::panic::contain(|| {
        Box::pin(tokio::time::sleep(Duration::from_nanos(nanos).min(FOREVER)))
    });
    match made {
        // SAFETY: pinned in its box until `timer_drop`.
        Ok(timer) => unsafe { Box::into_raw(Pin::into_inner_unchecked(timer)).cast() },
        Err(_) => std::ptr::null_mut(),
    }
}

unsafe fn timer<'a>(timer: *mut c_void) -> Option<Pin<&'a mut Sleep>> {
    // SAFETY: what `timer_new` made, and pinned there.
    unsafe {
        timer
            .cast::<Sleep>()
            .as_mut()
            .map(|timer| Pin::new_unchecked(timer))
    }
}

unsafe extern "C" fn timer_poll(this: *mut c_void, waker: *const WakerHdr) -> i32 {
    // SAFETY: as above; the waker is lent for the call.
    unsafe {
        let waker = borrow_waker(waker);
        let Some(timer) = timer(this) else {
            return abi::OK;
        };
        match std::future::Future::poll(timer, &mut Context::from_waker(&waker)) {
            Poll::Pending => abi::PENDING,
            Poll::Ready(()) => abi::OK,
        }
    }
}

unsafe extern "C" fn timer_reset(this: *mut c_void, nanos: u64) {
    // SAFETY: as above.
    if let Some(timer) = unsafe { timer(this) } {
        timer.reset(Instant::now() + Duration::from_nanos(nanos).min(FOREVER));
    }
}

unsafe extern "C" fn timer_drop(timer: *mut c_void) {
    if !timer.is_null() {
        // SAFETY: dropped once.
        drop(unsafe { Box::from_raw(timer.cast::<Sleep>()) });
    }
}

unsafe extern "C" fn spawn(vm: *const VmHdr, task: Task) {
    // SAFETY: one of our VMs, on its thread.
    let vm = unsafe { vm.cast::<Vm>().as_ref() };
    let Some(vm) = vm.filter(|_| !task.vt.is_null()) else {
        // SAFETY: a live task, dropped once.
        return unsafe { drop_task(task) };
    };
    let mut spawned = Spawned {
        task,
        waker: None,
        vm,
    };
    vm.spawn(Box::pin(std::future::poll_fn(move |cx| spawned.poll(cx))));
}

unsafe extern "C" fn limit(vm: *const VmHdr, name: Str) -> u64 {
    // SAFETY: one of our VMs or null; the name is lent for the call.
    let limit = unsafe {
        match (vm.cast::<Vm>().as_ref(), name.bytes()) {
            (Some(vm), b"response") => vm.config.response_limit,
            _ => None,
        }
    };
    limit.unwrap_or(u64::MAX)
}

unsafe extern "C" fn identify(vm: *const VmHdr, group: *mut u64) -> u32 {
    // SAFETY: one of our VMs; `group` is live for the call.
    unsafe {
        let worker = vm
            .cast::<Vm>()
            .as_ref()
            .map(|vm| vm.worker)
            .unwrap_or_default();
        *group = worker.group;
        worker.index
    }
}

unsafe extern "C" fn start(vm: *const VmHdr, count: u32, ret: *mut Ret) -> i32 {
    // SAFETY: one of our VMs, on its thread.
    let Some(vm) = (unsafe { vm.cast::<Vm>().as_ref() }) else {
        return fail(ret, Error::new("internal", "no VM asks"));
    };
    if vm.worker.index > 0 {
        return abi::OK;
    }
    let Some(start) = &vm.config.start_worker else {
        return fail(
            ret,
            Error::new(
                "workers",
                "what runs here cannot be run again in other threads",
            )
            .hint("workers are for scripts that `assay SCRIPT` runs"),
        );
    };
    let started = &vm.inner().workers;
    while started.get() + 1 < count {
        let worker = crate::Worker {
            index: started.get() + 1,
            ..vm.worker
        };
        if let Err(error) = start(worker) {
            return fail(ret, Error::new("workers", error.to_string()));
        }
        started.set(worker.index);
    }
    abi::OK
}

/// A task of a plugin that runs beside the coroutines.
struct Spawned {
    task: Task,
    waker: Option<WakerHandle>,
    /// Outlives its tasks.
    vm: *const Vm,
}

#[repr(C)]
struct LogError {
    ret: Ret,
    vm: *const Vm,
}

unsafe extern "C" fn log_error(ret: *mut Ret, val: *const Val) {
    // SAFETY: `ret` is the first field of a `LogError`; the value is lent.
    unsafe {
        let this = &*ret.cast::<LogError>();
        let view = View::new(&*val);
        if let Some(message) = view.get("message").and_then(View::as_bytes) {
            let message = String::from_utf8_lossy(message);
            (*this.vm)
                .config
                .log
                .write(abi::level::ERROR, &message, None);
        }
    }
}

impl Spawned {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.waker = Some(WakerHandle::new(cx.waker()));
        }
        let waker = self
            .waker
            .as_ref()
            .map_or(std::ptr::null(), WakerHandle::as_ptr);
        let mut ret = LogError {
            ret: Ret { set: log_error },
            vm: self.vm,
        };
        // SAFETY: a live task, polled on the VM's thread.
        let status =
            unsafe { ((*self.task.vt).poll)(self.task.data, waker, (&raw mut ret).cast()) };
        if status == abi::PENDING {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        unsafe { drop_task(self.task) }
    }
}

/// Initialises a plugin, once.
///
/// # Errors
/// What `init` said.
pub(crate) fn init(plugin: &'static abi::PluginDecl) -> Result<(), Error> {
    #[repr(C)]
    struct Failure {
        ret: Ret,
        error: Option<Error>,
    }
    unsafe extern "C" fn set(ret: *mut Ret, val: *const Val) {
        // SAFETY: `ret` is the first field of a `Failure`; the value is lent.
        unsafe {
            let view = View::new(&*val);
            let text = |key| {
                view.get(key)
                    .and_then(View::as_bytes)
                    .map(|b| String::from_utf8_lossy(b).into_owned())
            };
            let mut error = Error::new("init", text("message").unwrap_or_else(|| "failed".into()));
            if let Some(hint) = text("hint") {
                error = error.hint(hint);
            }
            (*ret.cast::<Failure>()).error = Some(error);
        }
    }
    let mut failure = Failure {
        ret: Ret { set },
        error: None,
    };
    // SAFETY: the table is a static, the slot live.
    let status = unsafe { (plugin.init)(&HOST, (&raw mut failure).cast()) };
    match (status, failure.error) {
        (abi::OK, _) => Ok(()),
        (_, Some(error)) => Err(error),
        (_, None) => Err(Error::new("init", "failed without saying why")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use crate::{Config, Error, Vm, Worker};

    mod pool {
        use std::sync::Mutex;

        use assay_plugin::{Cx, Result, family};

        pub static SEEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

        family! {
            /// Workers.
            name: "pool",
            functions: {
                /// Starts them; the group.
                fn start = "fun(count: integer): integer",
            },
        }

        fn start(cx: Cx, count: u32) -> Result<i64> {
            cx.start_workers(count)?;
            let worker = cx.worker();
            SEEN.lock().unwrap().push(worker.index);
            Ok(i64::try_from(worker.group).unwrap())
        }
    }
    use pool::{FAMILY, SEEN};

    fn run(config: Config) -> Result<i64, Error> {
        let runtime = crate::EventLoop::new().unwrap();
        let vm = Vm::new(config)?;
        let script = b"pool.start(2) return pool.start(3)";
        let value = runtime.block_on(vm.eval("=script", script))?;
        match value {
            assay_plugin::Value::Int(group) => Ok(group),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn workers_run_the_script_and_know_their_place() {
        let mut config = Config {
            families: vec![&FAMILY],
            ..Config::default()
        };
        let error = run(config.clone()).unwrap_err();
        assert_eq!(error.kind, "workers");

        let threads = Arc::new(Mutex::new(Vec::new()));
        let (template, started) = (config.clone(), Arc::clone(&threads));
        config.start_worker = Some(Arc::new(move |worker: Worker| {
            let mut config = template.clone();
            config.worker = Some(worker);
            let thread = std::thread::spawn(move || run(config).unwrap());
            started.lock().unwrap().push(thread);
            Ok(())
        }));
        let group = run(config.clone()).unwrap();
        let groups: Vec<i64> = std::mem::take(&mut *threads.lock().unwrap())
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(groups, [group, group]);
        let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
        seen.sort_unstable();
        assert_eq!(seen, [0, 0, 1, 1, 2, 2]);
        config.start_worker = Some(Arc::new(|_| Err(Error::new("full", "no room"))));
        assert_eq!(
            run(config.clone()).unwrap_err().message,
            "pool.start: no room"
        );
        config.start_worker = Some(Arc::new(|_| Ok(())));
        assert_ne!(run(config).unwrap(), group, "another group");
    }
}
