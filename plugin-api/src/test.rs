//! A host for unit tests: calls a plugin's functions in process, without Lua and without a `.so`.

use std::collections::HashSet;
use std::ffi::c_void;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Wake};

use crate::abi::{self, Call, FnDesc, HostApi, PluginDecl, Ret, Str, Task, Val, VmHdr, VmVt};
use crate::args::OwnedArg;
use crate::call::with_waker;
use crate::error::{Error, Result};
use crate::func::IntoArgs;
use crate::object::AnyObject;
use crate::value::{Arena, Kind, View};

mod types;

pub use types::check_types;

/// Calls a plugin as the runtime would. Pending calls are polled on the caller's thread until they
/// end; there is no reactor, so what needs one answers with an error.
pub struct Host {
    plugin: &'static PluginDecl,
    vm: Box<Vm>,
}

#[repr(C)]
struct Vm {
    header: VmHdr,
    count: AtomicUsize,
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
    unsafe { &*vm.cast::<Vm>() }
        .count
        .fetch_sub(1, Ordering::Relaxed);
}

static DENIED: LazyLock<Mutex<HashSet<(usize, String)>>> = LazyLock::new(Mutex::default);

static HOST: HostApi = HostApi {
    size: size_of::<HostApi>() as u32,
    major: abi::ABI_MAJOR,
    minor: abi::ABI_MINOR,
    service,
    log,
    allowed,
};

unsafe extern "C" fn service(_: Str) -> *const c_void {
    std::ptr::null()
}

unsafe extern "C" fn log(_: *const VmHdr, _: u32, _: Str, _: *const Val) {}

unsafe extern "C" fn allowed(vm: *const VmHdr, permission: Str, target: Str) -> i32 {
    let denied = DENIED.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: lent for the call.
    let (permission, target) = unsafe { (permission.text(), target.text()) };
    let is_denied = |what: String| denied.contains(&(vm.addr(), what));
    i32::from(!is_denied(permission.into()) && !is_denied(format!("{permission} {target}")))
}

impl Host {
    /// Initialises the plugin.
    ///
    /// # Panics
    /// When `init` fails.
    pub fn new(plugin: &'static PluginDecl) -> Self {
        let mut slot = Slot::<()>::new();
        // SAFETY: the table is a static; the slot is live.
        let status = unsafe { (plugin.init)(&HOST, slot.ret()) };
        assert_eq!(status, abi::OK, "init: {:?}", slot.result.map(|r| r.err()));
        Self {
            plugin,
            vm: Box::new(Vm {
                header: VmHdr { vt: &VM },
                count: 1.into(),
            }),
        }
    }

    /// Denies a permission from now on: `net.connect`, or only `net.connect localhost:80`.
    pub fn deny(&self, permission: &str) {
        let key = (std::ptr::from_ref(&*self.vm).addr(), permission.to_owned());
        DENIED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
    }

    /// Calls a function and waits for its end.
    ///
    /// # Errors
    /// The function's, as the script would see it (without the function's name).
    ///
    /// # Panics
    /// When the plugin has no such function.
    pub fn call<T: OwnedArg>(&self, function: &str, args: impl IntoArgs) -> Result<T> {
        // SAFETY: the plugin's static list.
        let fns = unsafe { std::slice::from_raw_parts(self.plugin.fns, self.plugin.nfns as usize) };
        self.enter(fns, function, None, args)
    }

    /// Calls a method of an object.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    ///
    /// # Panics
    /// When the object has no such method.
    pub fn method<T: OwnedArg>(
        &self,
        object: &AnyObject,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<T> {
        self.enter(object.methods(), method, Some(object), args)
    }

    fn enter<T: OwnedArg>(
        &self,
        fns: &[FnDesc],
        name: &str,
        this: Option<&AnyObject>,
        args: impl IntoArgs,
    ) -> Result<T> {
        // SAFETY: names are statics.
        let desc = fns.iter().find(|desc| unsafe { desc.name.text() } == name);
        let desc = desc.unwrap_or_else(|| panic!("no function `{name}`"));
        let mut arena = Arena::default();
        let args = args.to_vals(&mut arena)?;
        let mut slot = Slot::new();
        let mut call = Call {
            size: size_of::<Call>() as u32,
            nargs: args.len() as u32,
            args: args.as_ptr(),
            this: this.map_or(std::ptr::null(), |object| object.0),
            vm: (&raw const *self.vm).cast(),
            ret: slot.ret(),
            task: Task {
                data: std::ptr::null_mut(),
                vt: std::ptr::null(),
            },
        };
        // SAFETY: a live call block.
        let mut status = unsafe { (desc.call)(&mut call) };
        if status == abi::PENDING {
            status = run(call.task, &mut slot);
        }
        match (status, slot.result) {
            (abi::OK, None) => T::from_view(None),
            (abi::OK, Some(result)) => result,
            (_, Some(Err(error))) => Err(error),
            (_, _) => Err(Error::new("error", "an error that is no record")),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The next host may get this address.
        let vm = std::ptr::from_ref(&*self.vm).addr();
        DENIED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(of, _)| *of != vm);
        // A context that outlives the test's host would point into freed memory: leak instead.
        if self.vm.count.load(Ordering::Acquire) > 1 {
            let vm = Vm {
                header: VmHdr { vt: &VM },
                count: 1.into(),
            };
            std::mem::forget(std::mem::replace(&mut self.vm, Box::new(vm)));
        }
    }
}

#[repr(C)]
struct Slot<T> {
    ret: Ret,
    result: Option<Result<T>>,
}

impl<T: OwnedArg> Slot<T> {
    fn new() -> Self {
        Self {
            ret: Ret { set: set::<T> },
            result: None,
        }
    }

    fn ret(&mut self) -> *mut Ret {
        std::ptr::from_mut(self).cast()
    }
}

unsafe extern "C" fn set<T: OwnedArg>(ret: *mut Ret, val: *const Val) {
    // SAFETY: `ret` is the first field of a slot; `val` is lent.
    let (slot, view) = unsafe { (&mut *ret.cast::<Slot<T>>(), View::new(&*val)) };
    slot.result = Some(match view.kind() {
        Ok(Kind::Error(_)) => Err(Error::from_view(view)),
        _ => T::from_view(Some(view)),
    });
}

/// Polls a task to its end and drops it.
fn run<T: OwnedArg>(task: Task, slot: &mut Slot<T>) -> i32 {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut poll = pin!(std::future::poll_fn(|cx: &mut Context<'_>| {
        // SAFETY: a live task of the plugin, polled on one thread and dropped once.
        let status = with_waker(cx.waker(), |waker| unsafe {
            ((*task.vt).poll)(task.data, waker, slot.ret())
        });
        if status == abi::PENDING {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(status)
        }
    }));
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let status = loop {
        if let std::task::Poll::Ready(status) = poll.as_mut().poll(&mut Context::from_waker(&waker))
        {
            break status;
        }
        std::thread::park();
    };
    // SAFETY: as above.
    unsafe { ((*task.vt).drop)(task.data) };
    status
}
