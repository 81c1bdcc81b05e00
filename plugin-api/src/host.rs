//! What the host offers: log, permissions, its reactor.

use std::ffi::c_void;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use crate::abi::{self, HostApi, LimitsApi, ReactorApi, Str, Val, VmHdr, WorkersApi, level};
use crate::error::{Error, Result};
use crate::reactor;
use crate::value::{Arena, IntoVal};

static HOST: AtomicPtr<HostApi> = AtomicPtr::new(std::ptr::null_mut());

#[doc(hidden)]
pub fn set_host(host: *const HostApi) -> Result<()> {
    // SAFETY: the host passes its table, which lives as long as the process.
    let api = unsafe { &*host };
    if api.major != abi::ABI_MAJOR {
        return Err(Error::new(
            "abi",
            format!(
                "speaks plugin API {}, this assay speaks {}",
                abi::ABI_MAJOR,
                api.major
            ),
        ));
    }
    HOST.store(host.cast_mut(), Ordering::Release);
    Ok(())
}

fn host() -> Result<&'static HostApi> {
    // SAFETY: what `set_host` stored lives as long as the process.
    unsafe { HOST.load(Ordering::Acquire).as_ref() }
        .ok_or_else(|| Error::new("internal", "the plugin was not initialised by a host"))
}

/// A service of the host, by name and version.
pub(crate) fn service(name: &'static str) -> Result<*const c_void> {
    // SAFETY: the host's function, with a text that lives for ever.
    let table = unsafe { (host()?.service)(Str::new(name)) };
    if table.is_null() {
        return Err(
            Error::new("abi", format!("this host has no service {name}")).hint("update assay"),
        );
    }
    Ok(table)
}

/// The context of a call: which VM called, and what the host offers it.
///
/// Take it as a function's first parameter. It may be kept; it does not keep the VM open.
pub struct Cx(*const VmHdr);

// SAFETY: the host's functions that take it may be called from any thread, except the reactor's,
// which are reached through futures that are not `Send`.
unsafe impl Send for Cx {}
// SAFETY: as above.
unsafe impl Sync for Cx {}

impl Cx {
    pub(crate) unsafe fn retained(vm: *const VmHdr) -> Self {
        if !vm.is_null() {
            // SAFETY: the caller's promise that it is live.
            unsafe { ((*(*vm).vt).retain)(vm) };
        }
        Self(vm)
    }

    /// Fails unless the script may do `permission` to `target`. Ask before touching the network
    /// (`net.connect`, `net.listen` with `host:port`), files (`fs.read`, `fs.write` with a path) or
    /// the environment (`env` with a name).
    ///
    /// # Errors
    /// Kind `permission`: `not allowed: net 169.254.169.254:80`, with the flag as hint.
    pub fn require(&self, permission: &str, target: &str) -> Result<()> {
        if self.is_allowed(permission, target)? {
            return Ok(());
        }
        let flag = flag(permission);
        Err(
            Error::new("permission", format!("not allowed: {flag} {target}"))
                .hint(format!("--allow-{flag}={target}")),
        )
    }

    /// Fails unless the script may connect to `address`, which is what `host` (a name, or the address
    /// itself) turned out to be. Ask this of every address before connecting to it; `net::resolve`
    /// (feature `tokio`) does.
    ///
    /// # Errors
    /// Kind `permission`: `not allowed: net 127.0.0.1:80 (evil.example)`.
    pub fn require_address(&self, host: &str, address: SocketAddr) -> Result<()> {
        let target = format!("{address} {host}");
        if self.is_allowed("net.address", &target)? {
            return Ok(());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let shown = match bare.parse() == Ok(address.ip()) {
            true => address.to_string(),
            false => format!("{address} ({host})"),
        };
        Err(
            Error::new("permission", format!("not allowed: net {shown}"))
                .hint(format!("--allow-net={address}")),
        )
    }

    fn is_allowed(&self, permission: &str, target: &str) -> Result<bool> {
        // SAFETY: the host's function; the texts are lent for the call.
        let allowed =
            unsafe { (host()?.allowed)(self.0, Str::lend(permission), Str::lend(target)) };
        Ok(allowed == 1)
    }

    /// Logs at [`level`] through the host: to its sink, in its format.
    pub fn log(&self, level: u32, message: &str) {
        self.log_fields(level, message, &[]);
    }

    /// Logs with fields.
    pub fn log_fields(&self, level: u32, message: &str, fields: &[(&str, &dyn IntoVal)]) {
        let Ok(host) = host() else { return };
        let mut arena = Arena::default();
        let fields = crate::value::fields(fields, &mut arena).unwrap_or(Val::NIL);
        // SAFETY: the host's function; everything is lent for the call.
        unsafe { (host.log)(self.0, level, Str::lend(message), &fields) };
    }

    /// Logs at the level `warn`.
    pub fn warn(&self, message: &str) {
        self.log(level::WARN, message);
    }

    /// Runs a future beside the script's coroutines, on the VM's thread; its error is logged.
    ///
    /// # Errors
    /// When the host has no reactor.
    pub fn spawn(&self, future: impl Future<Output = Result<()>> + 'static) -> Result<()> {
        let task = crate::call::task(future, None);
        // SAFETY: on the VM's thread, since `Cx` reaches plugins there; the host owns the task.
        unsafe { (reactor::api()?.spawn)(self.0, task) };
        Ok(())
    }

    /// Waits, on the host's reactor.
    ///
    /// # Errors
    /// When the host has no reactor.
    pub async fn sleep(&self, duration: Duration) -> Result<()> {
        reactor::Timer::new(duration)?.await;
        Ok(())
    }
}

/// The command line's word for a permission.
fn flag(permission: &str) -> &str {
    match permission.split_once('.') {
        Some(("net", _)) => "net",
        Some((_, verb)) => verb,
        None => permission,
    }
}

impl Cx {
    /// Which of the VMs that run one script this one is. The first and only one, on a host that does
    /// not know of others.
    pub fn worker(&self) -> Worker {
        let mut group = 0;
        let index = match workers_api() {
            // SAFETY: the host's function; the VM is live while `self` counts.
            Ok(api) => unsafe { (api.identify)(self.0, &raw mut group) },
            Err(_) => 0,
        };
        Worker { group, index }
    }

    /// Starts VMs that run the same script until there are `count` with this one, each on a thread of
    /// its own. They run the script from its start, and know by [`worker`](Self::worker) which one they
    /// are; called by them, this does nothing.
    ///
    /// # Errors
    /// When the host has no script to run again, or no thread for it.
    pub fn start_workers(&self, count: u32) -> Result<()> {
        let api = workers_api()?;
        // SAFETY: the host's function, on the VM's thread, which is where plugins' functions run.
        crate::func::received(|ret| unsafe { (api.start)(self.0, count, ret) })
    }
}

impl Cx {
    /// A limit of the host's that only a plugin can count, or `None`: `response`, the bytes that one
    /// answer from the network may have. Fail with kind `limit` beyond it, and name the flag
    /// (`--response-limit`).
    pub fn limit(&self, name: &str) -> Option<u64> {
        let table = service("assay.limits/1").ok()?.cast::<LimitsApi>();
        // SAFETY: the service of this name is this table; the name is lent for the call.
        let limit = unsafe { ((*table).limit)(self.0, Str::lend(name)) };
        Some(limit).filter(|&limit| limit != u64::MAX)
    }
}

/// One of the VMs that run the same script; see [`Cx::start_workers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    /// What they share, and nobody else in the process has.
    pub group: u64,
    /// From 0 on; 0 was there first.
    pub index: u32,
}

fn workers_api() -> Result<&'static WorkersApi> {
    // SAFETY: the service of this name is this table, and lives as long as the process.
    Ok(unsafe { &*service("assay.workers/1")?.cast::<WorkersApi>() })
}

/// Contexts of the same VM are equal.
impl PartialEq for Cx {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Cx {}

impl Clone for Cx {
    fn clone(&self) -> Self {
        // SAFETY: `self` counts.
        unsafe { Self::retained(self.0) }
    }
}

impl Drop for Cx {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: gives back what `self` counts.
            unsafe { ((*(*self.0).vt).release)(self.0) }
        }
    }
}

pub(crate) fn reactor_api() -> Result<&'static ReactorApi> {
    // SAFETY: the service of this name is this table, and lives as long as the process.
    Ok(unsafe { &*service("assay.reactor/1")?.cast::<ReactorApi>() })
}
