//! Entries: from the wire's one signature to typed functions, and back.

use std::ffi::c_void;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::abi::{self, Call, Ret, Task, TaskVt, WakerHdr};
use crate::args::{Arg, Cursor};
use crate::error::{Error, Result};
use crate::object::AnyObject;
use crate::panic;
use crate::value::{Arena, IntoVal};

/// What a function may return: a value, or a `Result` of one.
pub trait Outcome {
    #[doc(hidden)]
    type Value: IntoVal;
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value>;
}

impl<T: IntoVal> Outcome for T {
    type Value = T;
    fn into_result(self) -> Result<T> {
        Ok(self)
    }
}

impl<T: IntoVal> Outcome for Result<T, Error> {
    type Value = T;
    fn into_result(self) -> Result<T> {
        self
    }
}

/// A function with typed parameters. Implemented for functions of up to eight.
pub trait Handler<M> {
    #[doc(hidden)]
    type Out: Outcome;
    #[doc(hidden)]
    fn invoke(&self, cursor: &mut Cursor<'_>) -> Result<Self::Out>;
}

/// An `async` function with typed parameters. Implemented for functions of up to eight.
pub trait AsyncHandler<M> {
    #[doc(hidden)]
    type Future: Future<Output: Outcome> + 'static;
    #[doc(hidden)]
    fn start(&self, cursor: &mut Cursor<'_>) -> Result<Self::Future>;
}

macro_rules! handlers {
    ($($arg:ident),*) => {
        impl<Fun, Out, $($arg),*> Handler<fn($($arg),*) -> Out> for Fun
        where
            Out: Outcome,
            Fun: Fn($($arg),*) -> Out + for<'a> Fn($($arg::Item<'a>),*) -> Out,
            $($arg: Arg,)*
        {
            type Out = Out;
            #[allow(non_snake_case, unused_variables)]
            fn invoke(&self, cursor: &mut Cursor<'_>) -> Result<Out> {
                $(let $arg = $arg::take(cursor)?;)*
                Ok(self($($arg),*))
            }
        }

        impl<Fun, Fut, $($arg),*> AsyncHandler<fn($($arg),*) -> Fut> for Fun
        where
            Fut: Future<Output: Outcome> + 'static,
            Fun: Fn($($arg),*) -> Fut + for<'a> Fn($($arg::Item<'a>),*) -> Fut,
            $($arg: Arg,)*
        {
            type Future = Fut;
            #[allow(non_snake_case, unused_variables)]
            fn start(&self, cursor: &mut Cursor<'_>) -> Result<Fut> {
                $(let $arg = $arg::take(cursor)?;)*
                Ok(self($($arg),*))
            }
        }
    };
}
handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E);
handlers!(A, B, C, D, E, F);
handlers!(A, B, C, D, E, F, G);
handlers!(A, B, C, D, E, F, G, H);

/// # Safety
/// `call` must be a live call block of the host.
#[doc(hidden)]
pub unsafe fn call_sync<M, F: Handler<M>>(function: &F, call: *mut Call) -> i32 {
    // SAFETY: the caller's promise; the cursor does not outlive this call.
    let (call, mut cursor) = unsafe { (&*call, Cursor::new(&*call)) };
    let result = panic::contain(|| {
        let outcome = function.invoke(&mut cursor)?.into_result()?;
        set(call.ret, &outcome)
    });
    let this = own_this(call, &cursor);
    finish(
        call.ret,
        result.unwrap_or_else(|error| Err(poison(this, error))),
    )
}

/// # Safety
/// `call` must be a live call block of the host.
#[doc(hidden)]
pub unsafe fn call_async<M, F: AsyncHandler<M>>(function: &F, call: *mut Call) -> i32 {
    let result = {
        // SAFETY: the caller's promise; the future owns what it took from the cursor.
        let (call, mut cursor) = unsafe { (&*call, Cursor::new(&*call)) };
        let started = panic::contain(|| function.start(&mut cursor));
        let this = own_this(call, &cursor);
        match started {
            Ok(Ok(future)) => {
                let this = (!this.is_null())
                    // SAFETY: a live object for the call.
                    .then(|| unsafe { AnyObject::retained(this) });
                Ok(task(IntoResult(future), this))
            }
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(poison(this, panic)),
        }
    };
    // SAFETY: as above; nothing borrows from the block any more.
    let call = unsafe { &mut *call };
    match result {
        Ok(task) => {
            call.task = task;
            abi::PENDING
        }
        Err(error) => finish(call.ret, Err(error)),
    }
}

/// A future's outcome as a result. An `async` block for it would be twice as large as the future.
struct IntoResult<F>(F);

impl<F: Future<Output: Outcome>> Future for IntoResult<F> {
    type Output = Result<<F::Output as Outcome>::Value>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is pinned where this is.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        future.poll(cx).map(Outcome::into_result)
    }
}

/// The object of a method call, when it is one of this kit: a script can take a method from one
/// object and call it with another.
fn own_this(call: &Call, cursor: &Cursor<'_>) -> *const abi::ObjHdr {
    if cursor.this_is_ours {
        call.this
    } else {
        std::ptr::null()
    }
}

fn set(ret: *mut Ret, value: &impl IntoVal) -> Result<()> {
    if let Some(val) = value.scalar() {
        // SAFETY: as below.
        unsafe { ((*ret).set)(ret, &val) };
        return Ok(());
    }
    let mut arena = Arena::default();
    let val = value.to_val(&mut arena)?;
    // SAFETY: `ret` is the host's, live for the call; value and arena outlive the copy.
    unsafe { ((*ret).set)(ret, &val) };
    Ok(())
}

fn finish(ret: *mut Ret, result: Result<()>) -> i32 {
    let Err(error) = result else { return abi::OK };
    let _ = panic::contain(|| set(ret, &error));
    abi::ERR
}

/// Reports a failure to the host, from `init`.
#[doc(hidden)]
pub fn fail(ret: *mut Ret, error: Error) -> i32 {
    finish(ret, Err(error))
}

/// An object whose method panicked may be half-changed: no other call may see it.
fn poison(this: *const abi::ObjHdr, error: Error) -> Error {
    if !this.is_null() && error.kind() == "panic" {
        // SAFETY: a live object for the call, of this kit (`own_this`), whose flag is at a fixed
        // place.
        unsafe { crate::object::poison(this) };
    }
    error
}

/// Makes a future a task of the wire.
pub(crate) fn task<T: IntoVal + 'static>(
    future: impl Future<Output = Result<T>> + 'static,
    this: Option<AnyObject>,
) -> Task {
    let data = Box::into_raw(Box::new(FutureTask {
        future: Some(future),
        this,
    }));
    vtable(data)
}

struct FutureTask<F> {
    future: Option<F>,
    this: Option<AnyObject>,
}

fn vtable<F, T>(data: *mut FutureTask<F>) -> Task
where
    F: Future<Output = Result<T>> + 'static,
    T: IntoVal + 'static,
{
    struct Vt<F, T>(std::marker::PhantomData<(F, T)>);
    impl<F: Future<Output = Result<T>> + 'static, T: IntoVal + 'static> Vt<F, T> {
        const VT: TaskVt = TaskVt {
            size: size_of::<TaskVt>() as u32,
            reserved: 0,
            poll: poll::<F, T>,
            drop: drop_task::<F>,
        };
    }
    Task {
        data: data.cast(),
        vt: &Vt::<F, T>::VT,
    }
}

unsafe extern "C" fn poll<F, T>(data: *mut c_void, waker: *const WakerHdr, ret: *mut Ret) -> i32
where
    F: Future<Output = Result<T>> + 'static,
    T: IntoVal + 'static,
{
    // SAFETY: the host passes what `task` made, on one thread, not re-entrantly.
    let task = unsafe { &mut *data.cast::<FutureTask<F>>() };
    let result = panic::contain(|| {
        let Some(future) = &mut task.future else {
            return Poll::Ready(Err(Error::new(
                "internal",
                "a finished task was polled again",
            )));
        };
        // SAFETY: the host's handle lives for the call.
        let waker = unsafe { borrow_waker(waker) };
        // SAFETY: the future stays in its box until it is dropped there.
        let future = unsafe { Pin::new_unchecked(future) };
        let Poll::Ready(result) = future.poll(&mut Context::from_waker(&waker)) else {
            return Poll::Pending;
        };
        task.future = None;
        Poll::Ready(result.and_then(|value| set(ret, &value)))
    });
    match result {
        Ok(Poll::Pending) => abi::PENDING,
        Ok(Poll::Ready(result)) => finish(ret, result),
        Err(error) => {
            let _ = panic::contain(|| task.future = None);
            let this = task
                .this
                .as_ref()
                .map_or(std::ptr::null(), |object| object.0);
            finish(ret, Err(poison(this, error)))
        }
    }
}

unsafe extern "C" fn drop_task<F>(data: *mut c_void) {
    let _ = panic::contain(|| {
        // SAFETY: the host drops a task once; it came from `Box::into_raw`.
        drop(unsafe { Box::from_raw(data.cast::<FutureTask<F>>()) });
    });
}

static WAKER: RawWakerVTable = RawWakerVTable::new(
    // SAFETY: the data is a live waker handle, by `borrow_waker` and this vtable itself.
    |data| unsafe {
        let header = data.cast::<WakerHdr>();
        ((*(*header).vt).retain)(header);
        RawWaker::new(data, &WAKER)
    },
    // SAFETY: as above.
    |data| unsafe {
        let header = data.cast::<WakerHdr>();
        ((*(*header).vt).wake)(header);
        ((*(*header).vt).release)(header);
    },
    // SAFETY: as above.
    |data| unsafe {
        let header = data.cast::<WakerHdr>();
        ((*(*header).vt).wake)(header);
    },
    // SAFETY: as above.
    |data| unsafe {
        let header = data.cast::<WakerHdr>();
        ((*(*header).vt).release)(header);
    },
);

/// A std waker over a handle. It does not count: its clones do.
///
/// # Safety
/// The handle must be live as long as the result.
#[doc(hidden)]
pub unsafe fn borrow_waker(header: *const WakerHdr) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable keeps the contract of `RawWaker`, given a live handle.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(header.cast(), &WAKER)) })
}

/// A std waker's own handle on the wire; used to poll what the host offers as poll functions.
pub(crate) fn with_waker<R>(waker: &Waker, f: impl FnOnce(*const WakerHdr) -> R) -> R {
    if std::ptr::eq(waker.vtable(), &WAKER) {
        return f(waker.data().cast());
    }
    f(WakerHandle::new(waker).as_ptr())
}

/// A std waker as a counted handle of the wire, for hosts to keep with what they poll.
#[doc(hidden)]
pub struct WakerHandle(*const StdWaker);

impl WakerHandle {
    /// A handle that wakes a clone of `waker`.
    pub fn new(waker: &Waker) -> Self {
        Self(StdWaker::new(waker.clone()))
    }

    /// The handle, lent.
    pub fn as_ptr(&self) -> *const WakerHdr {
        self.0.cast()
    }

    /// Whether it wakes the same task.
    pub fn will_wake(&self, waker: &Waker) -> bool {
        // SAFETY: alive while counted.
        unsafe { &*self.0 }.waker.will_wake(waker)
    }
}

impl Drop for WakerHandle {
    fn drop(&mut self) {
        // SAFETY: gives back what `new` counted.
        unsafe { std_release(self.0.cast()) }
    }
}

/// The other way round: a std waker (of a combinator, say) as a handle.
#[repr(C)]
struct StdWaker {
    header: WakerHdr,
    count: std::sync::atomic::AtomicUsize,
    waker: Waker,
}

static STD_WAKER: abi::WakerVt = abi::WakerVt {
    size: size_of::<abi::WakerVt>() as u32,
    reserved: 0,
    retain: std_retain,
    release: std_release,
    wake: std_wake,
};

impl StdWaker {
    fn new(waker: Waker) -> *const Self {
        Box::into_raw(Box::new(Self {
            header: WakerHdr { vt: &STD_WAKER },
            count: 1.into(),
            waker,
        }))
    }
}

unsafe extern "C" fn std_retain(header: *const WakerHdr) {
    // SAFETY: only called with a live `StdWaker`.
    let this = unsafe { &*header.cast::<StdWaker>() };
    this.count
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

unsafe extern "C" fn std_release(header: *const WakerHdr) {
    // SAFETY: as above.
    let this = unsafe { &*header.cast::<StdWaker>() };
    if this.count.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
        // SAFETY: the last owner; it came from `Box::into_raw`.
        drop(unsafe { Box::from_raw(header.cast::<StdWaker>().cast_mut()) });
    }
}

unsafe extern "C" fn std_wake(header: *const WakerHdr) {
    // SAFETY: as above.
    unsafe { &*header.cast::<StdWaker>() }.waker.wake_by_ref();
}
