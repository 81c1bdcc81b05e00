//! The stable plugin ABI of the Assay runtime ([`abi`]) and a safe kit to write plugins with it.
//!
//! Not here: anything about Lua itself, which only the host knows, and any particular family.
//!
//! # Layout
//! - [`abi`]: the frozen C structs. `include/assay_plugin.h` is the same in C.
//! - [`plugin!`], [`object!`], [`record!`]: declare a family and its classes.
//! - `args`, `call`: typed functions from the wire's one signature: [`Arg`], [`De`], [`Rest`].
//! - `value`, `de`, `ser`: views, owned values, results: [`View`], [`Value`], [`Buf`], [`Ser`].
//! - `object`, `func`: [`Ref`] to objects that scripts hold; [`Func`], Lua functions that we hold.
//! - `host`, [`reactor`]: what the host offers ([`Cx`]). [`threads`], [`net`]: a tokio thread of our own,
//!   and addresses for it.
//! - `json` (a feature): JSON text into values. `tls` (a feature): whom a TLS client trusts, and its own certificate.
//! - `error`, [`mod@panic`]: the error record; panics end at the boundary.
//! - [`note`]: the ELF note. [`mod@test`]: a host for unit tests.
//!
//! # Example
//! ```
//! use assay_plugin::{Error, Result, plugin};
//!
//! fn half(number: i64) -> Result<i64> {
//!     if number % 2 != 0 {
//!         return Err(Error::new("odd", format!("{number} has no half")).hint("try an even number"));
//!     }
//!     Ok(number / 2)
//! }
//!
//! plugin! {
//!     /// Arithmetic for examples.
//!     name: "halves",
//!     functions: {
//!         /// The half of an even number.
//!         fn half = "fun(number: integer): integer",
//!     },
//! }
//!
//! # fn main() {
//! let host = assay_plugin::test::Host::new(&ASSAY_PLUGIN);
//! assert_eq!(host.call::<i64>("half", (42i64,)).unwrap(), 21);
//! assert_eq!(host.call::<i64>("half", (7i64,)).unwrap_err().kind(), "odd");
//! # }
//! ```

pub mod abi;
mod args;
mod call;
mod de;
mod error;
mod func;
mod host;
#[cfg(feature = "json")]
pub mod json;
mod macros;
#[cfg(feature = "tokio")]
pub mod net;
pub mod note;
mod object;
pub mod panic;
pub mod reactor;
mod ser;
pub mod test;
#[cfg(feature = "tokio")]
pub mod threads;
#[cfg(feature = "tls")]
pub mod tls;
mod value;

pub use args::{Arg, Cursor, De, OwnedArg, Rest};
pub use call::{AsyncHandler, Handler, Outcome};
pub use de::from_view;
pub use error::{Error, Result, did_you_mean, fragment};
pub use func::{Func, FuncCall, IntoArgs};
pub use host::{Cx, Worker};
pub use object::{AnyObject, Class, Object, Ref};
pub use ser::Ser;
pub use value::{
    Arena, Buf, Bytes, IntoVal, Items, Kind, Lent, MAX_DEPTH, Pairs, Record, Value, View,
};

#[doc(hidden)]
pub use call::{call_async as __call_async, call_sync as __call_sync};
/// The wire's wakers and results, for hosts.
#[doc(hidden)]
pub mod wire {
    pub use crate::call::{WakerHandle, borrow_waker, fail};
}
#[doc(hidden)]
pub use object::{no_count as __no_count, release as __release, retain as __retain};

/// This kit's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How this build handles panics; the host refuses plugins that abort.
pub const PANIC: &str = if cfg!(panic = "unwind") {
    "unwind"
} else {
    "abort"
};

/// A class in a static list.
#[doc(hidden)]
#[repr(transparent)]
pub struct ClassPtr(*const abi::ObjVt);

// SAFETY: points to a static.
unsafe impl Sync for ClassPtr {}

impl ClassPtr {
    #[doc(hidden)]
    pub const fn of<C: Class>() -> Self {
        Self(C::CLASS)
    }
}

#[doc(hidden)]
pub fn __init(host: *const abi::HostApi, ret: *mut abi::Ret) -> i32 {
    panic::install_hook();
    match host::set_host(host) {
        Ok(()) => abi::OK,
        Err(error) => call::fail(ret, error),
    }
}

#[doc(hidden)]
pub fn __extension(
    name: abi::Str,
    shutdown: Option<&'static abi::ShutdownApi>,
    types: Option<&'static abi::Str>,
) -> *const core::ffi::c_void {
    fn pointer<T>(table: Option<&'static T>) -> *const core::ffi::c_void {
        table.map_or(core::ptr::null(), |table| core::ptr::from_ref(table).cast())
    }
    // SAFETY: lent for the call.
    match unsafe { name.bytes() } {
        b"assay.shutdown/1" => pointer(shutdown),
        b"assay.types/1" => pointer(types),
        _ => core::ptr::null(),
    }
}

#[doc(hidden)]
pub fn __shutdown(shutdown: fn(std::time::Duration) -> bool, nanos: u64) -> i32 {
    match panic::contain(|| shutdown(std::time::Duration::from_nanos(nanos))) {
        Ok(true) => abi::PENDING,
        _ => abi::OK,
    }
}

#[doc(hidden)]
pub const fn __lua_name(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
