//! Lua functions that a plugin keeps and calls.

use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::abi::{self, FuncHdr, Ret, Val};
use crate::args::OwnedArg;
use crate::error::{Error, Result};
use crate::panic;
use crate::value::{Arena, IntoVal, View, func_val};

/// A Lua function. It does not keep its VM alive: a call after the VM closed fails.
pub struct Func(*const FuncHdr);

// SAFETY: the vtable's functions may be called from any thread (`call_now` says otherwise).
unsafe impl Send for Func {}
// SAFETY: as above.
unsafe impl Sync for Func {}

impl Func {
    pub(crate) unsafe fn retained(func: *const FuncHdr) -> Self {
        // SAFETY: the caller's promise that it is a live function.
        unsafe { ((*(*func).vt).retain)(func) };
        Self(func)
    }

    fn vt(&self) -> &abi::FuncVt {
        // SAFETY: alive while counted.
        unsafe { &*(*self.0).vt }
    }

    /// Calls the function as a coroutine of its own, which may wait. From any thread. Dropping the
    /// future cancels the call.
    pub fn call<T: OwnedArg>(&self, args: impl IntoArgs) -> FuncCall<T> {
        let shared = Arc::new(Mutex::new(Shared {
            state: State::Waiting(None),
        }));
        let mut arena = Arena::default();
        let args = match args.to_vals(&mut arena) {
            Ok(args) => args,
            Err(error) => {
                lock(&shared).state = State::Done(Err(error));
                return FuncCall {
                    func: self.clone(),
                    shared,
                    ticket: 0,
                };
            }
        };
        let ud = Arc::into_raw(Arc::clone(&shared)).cast_mut().cast();
        // SAFETY: `args` is live until the call returns, which copies; `done` takes `ud` over.
        let ticket =
            unsafe { (self.vt().call)(self.0, args.as_ptr(), args.len() as u32, done::<T>, ud) };
        FuncCall {
            func: self.clone(),
            shared,
            ticket,
        }
    }

    /// Calls the function at once: for filters and comparators, which may not wait. Only inside a
    /// function that the host called, on its thread.
    ///
    /// # Errors
    /// What the function raised, and results that are no `T`.
    pub fn call_now<T: OwnedArg>(&self, args: impl IntoArgs) -> Result<T> {
        let mut arena = Arena::default();
        let args = args.to_vals(&mut arena)?;
        // SAFETY: arguments and slot are live for the call.
        received(|ret| unsafe {
            (self.vt().call_now)(self.0, args.as_ptr(), args.len() as u32, ret)
        })
    }
}

/// What a function of the host reports to the slot that it is given.
pub(crate) fn received<T: OwnedArg>(call: impl FnOnce(*mut Ret) -> i32) -> Result<T> {
    let mut slot = Slot {
        ret: Ret { set: slot_set::<T> },
        result: None,
    };
    let status = call((&raw mut slot).cast());
    match (slot.result, status) {
        (Some(Received::Value(value)), abi::OK) => value,
        (Some(Received::Error(error)), _) => Err(error),
        (None, abi::OK) => T::from_view(None),
        _ => Err(Error::new(
            "error",
            "the function failed without an error value",
        )),
    }
}

/// A receiver of a result for calls that end at once.
#[repr(C)]
struct Slot<T> {
    ret: Ret,
    result: Option<Received<T>>,
}

enum Received<T> {
    Value(Result<T>),
    Error(Error),
}

unsafe extern "C" fn slot_set<T: OwnedArg>(ret: *mut Ret, val: *const Val) {
    // SAFETY: `ret` is the first field of the slot of `received`, and `val` is lent.
    let (slot, view) = unsafe { (&mut *ret.cast::<Slot<T>>(), View::new(&*val)) };
    // Below this is the host: a `Deserialize` that panics must not get there.
    let received = panic::contain(|| match view.kind() {
        Ok(crate::value::Kind::Error(_)) => Received::Error(Error::from_view(view)),
        _ => Received::Value(T::from_view(Some(view))),
    });
    slot.result = Some(received.unwrap_or_else(|error| Received::Value(Err(error))));
}

struct Shared<T> {
    state: State<T>,
}

enum State<T> {
    Waiting(Option<Waker>),
    Done(Result<T>),
    Taken,
}

fn lock<T>(shared: &Mutex<Shared<T>>) -> std::sync::MutexGuard<'_, Shared<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" fn done<T: OwnedArg>(ud: *mut c_void, status: i32, result: *const Val) {
    // SAFETY: `ud` is what `call` gave away, and `done` runs once.
    let shared = unsafe { Arc::from_raw(ud.cast_const().cast::<Mutex<Shared<T>>>()) };
    // SAFETY: lent for this call.
    let view = unsafe { View::new(&*result) };
    let result = panic::contain(|| match status {
        abi::OK => T::from_view(Some(view)),
        _ => Err(Error::from_view(view)),
    })
    .unwrap_or_else(Err);
    let before = std::mem::replace(&mut lock(&shared).state, State::Done(result));
    if let State::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

/// A call of a [`Func`] that goes on.
#[must_use = "dropping a call cancels it"]
pub struct FuncCall<T> {
    func: Func,
    shared: Arc<Mutex<Shared<T>>>,
    ticket: u64,
}

impl<T> Future for FuncCall<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut shared = lock(&self.shared);
        match std::mem::replace(&mut shared.state, State::Taken) {
            State::Done(result) => Poll::Ready(result),
            State::Waiting(_) => {
                shared.state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Taken => Poll::Ready(Err(Error::new(
                "internal",
                "a finished call was polled again",
            ))),
        }
    }
}

impl<T> Drop for FuncCall<T> {
    fn drop(&mut self) {
        let waiting = matches!(lock(&self.shared).state, State::Waiting(_));
        if waiting {
            // SAFETY: a live function; a ticket that has ended meanwhile is ignored.
            unsafe { (self.func.vt().cancel)(self.func.0, self.ticket) };
        }
    }
}

impl Clone for Func {
    fn clone(&self) -> Self {
        // SAFETY: `self` counts.
        unsafe { Self::retained(self.0) }
    }
}

impl Drop for Func {
    fn drop(&mut self) {
        // SAFETY: gives back what `self` counts.
        unsafe { (self.vt().release)(self.0) }
    }
}

impl PartialEq for Func {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl std::fmt::Debug for Func {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("function")
    }
}

// SAFETY: the handle counts, and `self` outlives the use.
unsafe impl IntoVal for Func {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(func_val(self.0))
    }
}

/// Arguments of a call: a tuple.
pub trait IntoArgs {
    #[doc(hidden)]
    fn to_vals<'a>(&self, arena: &'a mut Arena) -> Result<&'a [Val]>;
}

macro_rules! into_args {
    ($($name:ident),*) => {
        impl<$($name: IntoVal),*> IntoArgs for ($($name,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn to_vals<'a>(&self, arena: &'a mut Arena) -> Result<&'a [Val]> {
                let ($($name,)*) = self;
                arena.table(|arena| {
                    $(arena.put($name)?;)*
                    Ok(())
                })
            }
        }
    };
}
into_args!();
into_args!(A);
into_args!(A, B);
into_args!(A, B, C);
into_args!(A, B, C, D);
into_args!(A, B, C, D, E);
into_args!(A, B, C, D, E, F);
into_args!(A, B, C, D, E, F, G);
into_args!(A, B, C, D, E, F, G, H);

impl IntoArgs for Vec<crate::value::Value> {
    fn to_vals<'a>(&self, arena: &'a mut Arena) -> Result<&'a [Val]> {
        arena.table(|arena| self.iter().try_for_each(|value| arena.put(value)))
    }
}
