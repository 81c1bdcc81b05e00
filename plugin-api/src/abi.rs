//! The wire: frozen C structs, nothing else. `include/assay_plugin.h` is the same in C.
//!
//! Two kinds of thing cross the boundary. *Views* ([`Val`], [`Str`]) are lent for the duration of
//! one call. *Handles* ([`ObjHdr`], [`FuncHdr`], [`BufHdr`], [`VmHdr`], [`WakerHdr`]) begin with a
//! pointer to their maker's vtable and are counted by it. Nothing is ever freed across.
//!
//! Rules for change (held by tests): a struct only grows at its end, guarded by its `size` field;
//! a tag, status or flag keeps its number; everything optional is a capability table that is asked
//! for by name and version ([`HostApi::service`], [`PluginDecl::extension`]).

use core::ffi::c_void;
use core::mem::{offset_of, size_of};

/// The major version: a plugin built for another one is refused.
pub const ABI_MAJOR: u16 = 1;
/// The minor version: grows with every addition to the wire structs.
pub const ABI_MINOR: u16 = 0;
/// The first eight bytes of a [`PluginDecl`].
pub const MAGIC: [u8; 8] = *b"ASSAYPLG";

/// The call finished; its result was set.
pub const OK: i32 = 0;
/// The call failed; the error was set as the result.
pub const ERR: i32 = 1;
/// The call goes on as the task in [`Call::task`].
pub const PENDING: i32 = 2;

/// Tags of [`Val`].
pub mod tag {
    /// Absence.
    pub const NIL: u32 = 0;
    /// `u.b`: 0 or 1.
    pub const BOOL: u32 = 1;
    /// `u.i`.
    pub const INT: u32 = 2;
    /// `u.f`.
    pub const FLOAT: u32 = 3;
    /// `u.s`, `len` bytes, any bytes, not terminated.
    pub const STR: u32 = 4;
    /// `u.l`, `len` values.
    pub const LIST: u32 = 5;
    /// `u.l`, `len` pairs: `2 * len` values, key before value.
    pub const MAP: u32 = 6;
    /// `u.o`, a counted object.
    pub const OBJECT: u32 = 7;
    /// `u.fun`, a counted function of the host.
    pub const FUNC: u32 = 8;
    /// `u.buf`, a counted block of bytes; a string on the Lua side.
    pub const BUF: u32 = 9;
    /// As [`MAP`]: the record of an error (`kind`, `message`, `hint`, `status`, `traceback`, ...).
    pub const ERROR: u32 = 10;
    /// A null that stays visible (`json.null`, `db.null`), unlike [`NIL`].
    pub const NULL: u32 = 11;
    /// `u.r`, `len` pairs: a plain Lua table whose methods are those of a class.
    pub const RECORD: u32 = 12;
}

/// Flags of [`FnDesc`].
pub mod flag {
    /// The function may answer [`PENDING`](super::PENDING).
    pub const ASYNC: u32 = 1;
    /// Not a function but a value of the family's: what the call returns, without arguments, when the
    /// family is loaded. A host that does not know the flag makes it a function.
    pub const VALUE: u32 = 2;
}

/// Log levels of [`HostApi::log`].
pub mod level {
    /// For those who look into the plugin.
    pub const DEBUG: u32 = 0;
    /// What went on.
    pub const INFO: u32 = 1;
    /// Odd, and handled.
    pub const WARN: u32 = 2;
    /// Failed.
    pub const ERROR: u32 = 3;
}

/// Borrowed text or bytes.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Str {
    /// Never null where `len > 0`.
    pub ptr: *const u8,
    /// In bytes.
    pub len: usize,
}

/// A value, lent for one call.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Val {
    /// One of [`tag`]. An unknown tag is an error for this value only.
    pub tag: u32,
    /// Bytes, items or pairs, by tag.
    pub len: u32,
    /// The payload that the tag names.
    pub u: ValU,
}

/// The payload of a [`Val`].
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub union ValU {
    /// [`tag::BOOL`]
    pub b: u64,
    /// [`tag::INT`]
    pub i: i64,
    /// [`tag::FLOAT`]
    pub f: f64,
    /// [`tag::STR`]
    pub s: *const u8,
    /// [`tag::LIST`], [`tag::MAP`], [`tag::ERROR`]
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub l: *const Val,
    /// [`tag::OBJECT`]
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub o: *const ObjHdr,
    /// [`tag::FUNC`]
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub fun: *const FuncHdr,
    /// [`tag::BUF`]
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub buf: *const BufHdr,
    /// [`tag::RECORD`]
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub r: *const Record,
}

/// The payload of a [`tag::RECORD`].
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Record {
    /// Whose methods the table gets. They are called with the table as first argument.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub class: *const ObjVt,
    /// `2 * len` values of the [`Val`].
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub pairs: *const Val,
}

/// Where a callee puts its result. The host's structure goes on behind it.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Ret {
    /// Copies the value before it returns; retains the handles in it. Call it at most once.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub set: unsafe extern "C" fn(*mut Ret, *const Val),
}

/// One call of a function or method: in and out.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Call {
    /// `size_of::<Call>()` of the host.
    pub size: u32,
    /// How many arguments.
    pub nargs: u32,
    /// Lent: read them before returning.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub args: *const Val,
    /// The object whose method is called, or null.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub this: *const ObjHdr,
    /// The VM that calls. Lent; retain it to keep it.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vm: *const VmHdr,
    /// Where the result goes.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub ret: *mut Ret,
    /// Out: the task, when the status is [`PENDING`].
    pub task: Task,
}

/// A function or method. Called on the VM's thread; answers [`OK`], [`ERR`] or [`PENDING`].
pub type CallFn = unsafe extern "C" fn(*mut Call) -> i32;

/// What a [`PENDING`] call goes on as. Owned by the host, which polls and drops it on the VM's thread.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct Task {
    /// The plugin's.
    pub data: *mut c_void,
    /// How to go on.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const TaskVt,
}

/// The vtable of a [`Task`].
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct TaskVt {
    /// `size_of::<TaskVt>()` of the maker.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Goes on until it must wait, then answers [`PENDING`] and wakes the waker (retained) later.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub poll: unsafe extern "C" fn(*mut c_void, *const WakerHdr, *mut Ret) -> i32,
    /// Frees the task, finished or not: an unfinished one is cancelled. Called exactly once.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub drop: unsafe extern "C" fn(*mut c_void),
}

/// A handle to whatever waits for a task.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct WakerHdr {
    /// The host's.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const WakerVt,
}

/// The vtable of a [`WakerHdr`]. All of it may be called from any thread.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct WakerVt {
    /// `size_of::<WakerVt>()` of the maker.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Counts one more owner.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub retain: unsafe extern "C" fn(*const WakerHdr),
    /// Counts one owner less.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub release: unsafe extern "C" fn(*const WakerHdr),
    /// Has the task polled again. Keeps the count.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub wake: unsafe extern "C" fn(*const WakerHdr),
}

/// Describes a function or method; lives as long as the process.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct FnDesc {
    /// The name in Lua. Methods named `__call`, `__close`, `__index`, `__len` and `__tostring`
    /// become metamethods; a function named `__call` makes the family's table callable.
    pub name: Str,
    /// Of [`flag`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// The code.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub call: CallFn,
    /// What it does, Markdown.
    pub doc: Str,
    /// Its LuaCATS type without names of the family: `fun(url: string): http.Response`.
    pub sig: Str,
}

/// An object of a plugin, or of the host: userdata on the Lua side.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct ObjHdr {
    /// The maker's.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const ObjVt,
}

/// A class: the vtable of an [`ObjHdr`], or the methods of a [`Record`].
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct ObjVt {
    /// `size_of::<ObjVt>()` of the maker.
    pub size: u32,
    /// How many methods.
    pub nmethods: u32,
    /// `family.Class`.
    pub type_name: Str,
    /// The methods. A method named `read` makes the object a stream: `read(max)` answers a
    /// string or buffer of at most `max` bytes, or nil at the end, and may be pending.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub methods: *const FnDesc,
    /// Counts one more owner. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub retain: unsafe extern "C" fn(*const ObjHdr),
    /// Counts one owner less; frees with the last. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub release: unsafe extern "C" fn(*const ObjHdr),
    /// What it is: Markdown, then LuaCATS `---@field` lines.
    pub doc: Str,
}

/// A Lua function, kept by a plugin. It does not keep its VM alive.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct FuncHdr {
    /// The host's.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const FuncVt,
}

/// Told the end of a [`FuncVt::call`]: status and result (or error), lent.
pub type DoneFn = unsafe extern "C" fn(ud: *mut c_void, status: i32, result: *const Val);

/// The vtable of a [`FuncHdr`].
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct FuncVt {
    /// `size_of::<FuncVt>()` of the maker.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Counts one more owner. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub retain: unsafe extern "C" fn(*const FuncHdr),
    /// Counts one owner less. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub release: unsafe extern "C" fn(*const FuncHdr),
    /// Runs the function as a coroutine of its own. Any thread; the arguments are copied before it
    /// returns. `done` runs exactly once, never inside `call`: on the VM's thread, or with the
    /// error `vm closed` on whichever thread closes it. The result is a ticket for `cancel`.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub call: unsafe extern "C" fn(
        fun: *const FuncHdr,
        args: *const Val,
        nargs: u32,
        done: DoneFn,
        ud: *mut c_void,
    ) -> u64,
    /// Cancels a call that has not ended; its `done` runs with an error of kind `cancelled`,
    /// possibly inside `cancel`. A ticket that has ended is ignored. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub cancel: unsafe extern "C" fn(fun: *const FuncHdr, ticket: u64),
    /// Runs the function at once, without leave to wait. Only on the VM's thread, inside a call.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub call_now: unsafe extern "C" fn(
        fun: *const FuncHdr,
        args: *const Val,
        nargs: u32,
        ret: *mut Ret,
    ) -> i32,
}

/// A counted block of bytes that does not change.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct BufHdr {
    /// The maker's.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const BufVt,
    /// The bytes; `ptr[len]` must be a readable zero byte, as Lua wants it.
    pub ptr: *const u8,
    /// In bytes, without the zero.
    pub len: usize,
}

/// The vtable of a [`BufHdr`]. Any thread.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct BufVt {
    /// `size_of::<BufVt>()` of the maker.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Counts one more owner.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub retain: unsafe extern "C" fn(*const BufHdr),
    /// Counts one owner less.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub release: unsafe extern "C" fn(*const BufHdr),
}

/// A VM. Retaining it keeps the handle valid, not the VM open.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct VmHdr {
    /// The host's.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub vt: *const VmVt,
}

/// The vtable of a [`VmHdr`]. Any thread.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct VmVt {
    /// `size_of::<VmVt>()` of the maker.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Counts one more owner.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub retain: unsafe extern "C" fn(*const VmHdr),
    /// Counts one owner less.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub release: unsafe extern "C" fn(*const VmHdr),
}

/// What the host gives every plugin, once, to [`PluginDecl::init`]. Any thread.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct HostApi {
    /// `size_of::<HostApi>()` of the host.
    pub size: u32,
    /// The host's [`ABI_MAJOR`].
    pub major: u16,
    /// The host's [`ABI_MINOR`].
    pub minor: u16,
    /// A capability table by name and version, such as `assay.reactor/1`, or null.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub service: unsafe extern "C" fn(name: Str) -> *const c_void,
    /// Logs for a VM (which may be null). `fields` is a [`tag::MAP`], or null.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub log: unsafe extern "C" fn(vm: *const VmHdr, level: u32, message: Str, fields: *const Val),
    /// Whether a VM may do `permission` (`net.connect`, `net.listen`, `fs.read`, `fs.write`, `env`)
    /// to `target` (`host:port`, a path, a name): 1 or 0. Of an address that a name turned out to be,
    /// `net.address` with `address:port name`. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub allowed: unsafe extern "C" fn(vm: *const VmHdr, permission: Str, target: Str) -> i32,
}

/// The service `assay.reactor/1`: I/O and timers of the VM's own thread. Only on that thread.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct ReactorApi {
    /// `size_of::<ReactorApi>()` of the host.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Watches a non-blocking descriptor, which stays the plugin's; null when that fails (`errno`).
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub io_new: unsafe extern "C" fn(fd: i32) -> *mut c_void,
    /// [`OK`] when the descriptor may be ready to be read (`direction` 1) or written (2).
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub io_poll:
        unsafe extern "C" fn(io: *mut c_void, direction: u32, waker: *const WakerHdr) -> i32,
    /// Says that the descriptor was not ready after all (`EWOULDBLOCK`).
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub io_clear: unsafe extern "C" fn(io: *mut c_void, direction: u32),
    /// Stops watching. Before the descriptor is closed.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub io_drop: unsafe extern "C" fn(io: *mut c_void),
    /// A timer that ends in so many nanoseconds.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub timer_new: unsafe extern "C" fn(nanos: u64) -> *mut c_void,
    /// [`OK`] when the time has come.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub timer_poll: unsafe extern "C" fn(timer: *mut c_void, waker: *const WakerHdr) -> i32,
    /// Sets a new time from now.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub timer_reset: unsafe extern "C" fn(timer: *mut c_void, nanos: u64),
    /// Frees the timer.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub timer_drop: unsafe extern "C" fn(timer: *mut c_void),
    /// Polls the task beside the VM's coroutines until it ends, or drops it when the VM closes.
    /// An error result is logged.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub spawn: unsafe extern "C" fn(vm: *const VmHdr, task: Task),
}

/// The service `assay.workers/1`: more VMs that run the script of this one, each on a thread of its own.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct WorkersApi {
    /// `size_of::<WorkersApi>()` of the host.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Which of the VMs that run one script this one is: 0 for the one that was there first. `group`
    /// is given the number that they share, and nobody else in the process has. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub identify: unsafe extern "C" fn(vm: *const VmHdr, group: *mut u64) -> u32,
    /// Starts VMs until there are `count` with the one that asks. Those that it started may ask too:
    /// nothing happens then. [`OK`], or [`ERR`] (reported by `ret`) when the host has no script to run
    /// again, or no thread for it. On the VM's thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub start: unsafe extern "C" fn(vm: *const VmHdr, count: u32, ret: *mut Ret) -> i32,
}

/// The service `assay.limits/1`: what the host limits and only a plugin can count.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct LimitsApi {
    /// `size_of::<LimitsApi>()` of the host.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// The limit of that name, or `u64::MAX` for none: `response`, the bytes that one answer from the
    /// network may have. Any thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub limit: unsafe extern "C" fn(vm: *const VmHdr, name: Str) -> u64,
}

/// The extension `assay.shutdown/1` of a plugin: told once when the process was asked to end.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct ShutdownApi {
    /// `size_of::<ShutdownApi>()` of the plugin.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Starts to end what runs (a server drains), within so many nanoseconds. [`PENDING`] when
    /// something runs whose calls will return by themselves, [`OK`] when there is nothing to
    /// wait for. Called on the VM's thread.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub shutdown: unsafe extern "C" fn(nanos: u64) -> i32,
}

/// A plugin: exported as data under `assay_plugin_v1_<name>`.
#[repr(C)]
#[cfg_attr(feature = "guard", derive(abi_stable::StableAbi))]
pub struct PluginDecl {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`ABI_MAJOR`] it was built for.
    pub major: u16,
    /// The lowest [`ABI_MINOR`] that has what it uses.
    pub minor: u16,
    /// `size_of::<PluginDecl>()` of the plugin.
    pub size: u32,
    /// Zero.
    pub flags: u32,
    /// How many functions.
    pub nfns: u32,
    /// The family: the global's name. `[a-z0-9_]`.
    pub name: Str,
    /// Semantic version.
    pub version: Str,
    /// Version of the kit it was written with.
    pub sdk: Str,
    /// The functions.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub fns: *const FnDesc,
    /// Called once in the process, before anything else. [`OK`] or [`ERR`] (reported by `ret`).
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub init: unsafe extern "C" fn(host: *const HostApi, ret: *mut Ret) -> i32,
    /// A capability table of the plugin by name and version, or null: `assay.shutdown/1`
    /// ([`ShutdownApi`]), `assay.types/1` (a [`Str`]: LuaCATS stubs of the family).
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub extension: unsafe extern "C" fn(name: Str) -> *const c_void,
    /// What the family is for, Markdown.
    pub doc: Str,
    /// The classes of its objects and records, for docs and types.
    #[cfg_attr(feature = "guard", sabi(unsafe_opaque_field))]
    pub classes: *const *const ObjVt,
    /// How many classes.
    pub nclasses: u32,
    /// Zero.
    pub reserved: u32,
}

macro_rules! shareable {
    ($($t:ty),*) => { $(
        // SAFETY: immutable descriptions; the pointers in them are to statics.
        unsafe impl Sync for $t {}
        // SAFETY: as above.
        unsafe impl Send for $t {}
    )* };
}
shareable!(
    Str,
    FnDesc,
    ObjVt,
    PluginDecl,
    FuncVt,
    BufVt,
    VmVt,
    WakerVt,
    TaskVt,
    HostApi,
    ReactorApi,
    WorkersApi,
    LimitsApi,
    ShutdownApi
);

impl Str {
    /// Points at a text that lives for ever.
    pub const fn new(text: &'static str) -> Self {
        Self::lend(text)
    }

    /// Points at a text that must outlive the use of the result.
    pub const fn lend(text: &str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: text.len(),
        }
    }

    /// The bytes.
    ///
    /// # Safety
    /// `ptr` must be valid for `len` bytes for `'a`.
    pub const unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the caller's promise.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// The text; what is not UTF-8 reads as empty.
    ///
    /// # Safety
    /// As [`bytes`](Self::bytes).
    pub unsafe fn text<'a>(self) -> &'a str {
        // SAFETY: the caller's promise.
        core::str::from_utf8(unsafe { self.bytes() }).unwrap_or_default()
    }
}

impl Val {
    /// Nil.
    pub const NIL: Self = Self {
        tag: tag::NIL,
        len: 0,
        u: ValU { i: 0 },
    };
    /// A visible null.
    pub const NULL: Self = Self {
        tag: tag::NULL,
        len: 0,
        u: ValU { i: 0 },
    };

    /// A bool.
    pub const fn bool(value: bool) -> Self {
        Self {
            tag: tag::BOOL,
            len: 0,
            u: ValU { b: value as u64 },
        }
    }

    /// An integer.
    pub const fn int(value: i64) -> Self {
        Self {
            tag: tag::INT,
            len: 0,
            u: ValU { i: value },
        }
    }

    /// A float.
    pub const fn float(value: f64) -> Self {
        Self {
            tag: tag::FLOAT,
            len: 0,
            u: ValU { f: value },
        }
    }
}

const fn mix(hash: u64, value: usize) -> u64 {
    (hash ^ value as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

macro_rules! layout {
    ($($t:ident { $($field:ident),* $(,)? })*) => {
        /// FNV-1a over sizes and offsets of every wire struct as of this minor version: part of
        /// the note, so that a plugin built against other layouts is refused before it runs.
        pub const LAYOUT: u64 = {
            let mut hash = 0xcbf2_9ce4_8422_2325;
            $( hash = mix(hash, size_of::<$t>()); $( hash = mix(hash, offset_of!($t, $field)); )* )*
            hash
        };
    };
}
layout! {
    Str { ptr, len }
    Val { tag, len, u }
    Record { class, pairs }
    Ret { set }
    Call { size, nargs, args, this, vm, ret, task }
    Task { data, vt }
    TaskVt { size, poll, drop }
    WakerHdr { vt }
    WakerVt { size, retain, release, wake }
    FnDesc { name, flags, call, doc, sig }
    ObjHdr { vt }
    ObjVt { size, nmethods, type_name, methods, retain, release, doc }
    FuncHdr { vt }
    FuncVt { size, retain, release, call, cancel, call_now }
    BufHdr { vt, ptr, len }
    BufVt { size, retain, release }
    VmHdr { vt }
    VmVt { size, retain, release }
    HostApi { size, major, minor, service, log, allowed }
    ReactorApi { size, io_new, io_poll, io_clear, io_drop, timer_new, timer_poll, timer_reset, timer_drop, spawn }
    ShutdownApi { size, shutdown }
    PluginDecl { magic, major, minor, size, flags, nfns, name, version, sdk, fns, init, extension, doc, classes, nclasses }
}

// A service that came later is no part of the layouts: who does not know its name never sees its table.
const _: () = {
    assert!(size_of::<WorkersApi>() == 24);
    assert!(size_of::<LimitsApi>() == 16);
};

/// The layouts that a host of this version accepts, by ABI minor.
pub const LAYOUTS: &[(u16, u64)] = &[(0, LAYOUT)];

const _: () = {
    assert!(size_of::<Val>() == 16);
    assert!(size_of::<Str>() == 16);
    assert!(size_of::<Task>() == 16);
    assert!(size_of::<Call>() == 56);
    assert!(offset_of!(Call, task) == 40);
    assert!(size_of::<FnDesc>() == 64);
    assert!(size_of::<ObjVt>() == 64);
    assert!(size_of::<PluginDecl>() == 128);
    assert!(offset_of!(PluginDecl, name) == 24);
};
