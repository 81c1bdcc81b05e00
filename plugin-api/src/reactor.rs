//! I/O and timers on the VM's own thread: no thread of the plugin's, native speed.
//!
//! The types here are not `Send`: they belong to the thread on which the host polls.

use std::ffi::c_void;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::abi::{self, ReactorApi};
use crate::call::with_waker;
use crate::error::{Error, Result};

pub(crate) fn api() -> Result<&'static ReactorApi> {
    crate::host::reactor_api()
}

/// Which way a descriptor is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ready to be read, or accepted.
    Read = 1,
    /// Ready to be written.
    Write = 2,
}

/// A non-blocking socket (or other descriptor) watched by the host's reactor.
pub struct Io<T: AsRawFd> {
    inner: T,
    handle: *mut c_void,
    api: &'static ReactorApi,
    thread: PhantomData<*const ()>,
}

impl<T: AsRawFd> Io<T> {
    /// Watches a descriptor, which must be non-blocking.
    ///
    /// # Errors
    /// When the host has no reactor or cannot watch it.
    pub fn new(inner: T) -> Result<Self> {
        let api = api()?;
        // SAFETY: on the VM's thread (the type is not `Send` and plugins run there).
        let handle = unsafe { (api.io_new)(inner.as_raw_fd()) };
        if handle.is_null() {
            return Err(Error::new(
                "io",
                format!("cannot watch a socket: {}", io::Error::last_os_error()),
            ));
        }
        Ok(Self {
            inner,
            handle,
            api,
            thread: PhantomData,
        })
    }

    /// The socket.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Tries an operation until it does not say `WouldBlock`.
    pub fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            // SAFETY: a live watch, on its thread.
            let status = with_waker(cx.waker(), |waker| unsafe {
                (self.api.io_poll)(self.handle, direction as u32, waker)
            });
            if status == abi::PENDING {
                return Poll::Pending;
            }
            match operation(&self.inner) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // SAFETY: as above.
                    unsafe { (self.api.io_clear)(self.handle, direction as u32) }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits until an operation does not say `WouldBlock`.
    ///
    /// # Errors
    /// The operation's.
    pub async fn with<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        std::future::poll_fn(|cx| self.poll_with(cx, direction, &mut operation)).await
    }
}

impl<T: AsRawFd> Io<T>
where
    for<'a> &'a T: io::Read,
{
    /// Reads from a stream socket. A read that left room has emptied the socket, so that the next
    /// one waits for the reactor, instead of asking the kernel first and being told `WouldBlock`.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = ready!(self.poll_with(cx, Direction::Read, |mut inner| {
            io::Read::read(&mut inner, buf)
        }))?;
        if 0 < count && count < buf.len() {
            // SAFETY: a live watch, on its thread. The reactor did not run since it said "ready", so
            // this hides no later news; bytes that came since the read are news at its next run.
            unsafe { (self.api.io_clear)(self.handle, Direction::Read as u32) }
        }
        Poll::Ready(Ok(count))
    }
}

impl<T: AsRawFd> Drop for Io<T> {
    fn drop(&mut self) {
        // SAFETY: the watch ends before the descriptor, which is dropped after this.
        unsafe { (self.api.io_drop)(self.handle) }
    }
}

/// A timer of the host's reactor.
pub struct Timer {
    handle: *mut c_void,
    api: &'static ReactorApi,
}

impl Timer {
    /// Ends after `duration`.
    ///
    /// # Errors
    /// When the host has no reactor.
    pub fn new(duration: Duration) -> Result<Self> {
        let api = api()?;
        // SAFETY: on the VM's thread (the type is not `Send` and plugins run there).
        let handle = unsafe { (api.timer_new)(nanos(duration)) };
        Ok(Self { handle, api })
    }

    /// Starts again.
    pub fn reset(&mut self, duration: Duration) {
        // SAFETY: a live timer, on its thread.
        unsafe { (self.api.timer_reset)(self.handle, nanos(duration)) }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Future for Timer {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: a live timer, on its thread.
        let status = with_waker(cx.waker(), |waker| unsafe {
            (self.api.timer_poll)(self.handle, waker)
        });
        if status == abi::PENDING {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: dropped once, on its thread.
        unsafe { (self.api.timer_drop)(self.handle) }
    }
}

/// Fails with `None` when the future takes longer.
///
/// # Errors
/// When the host has no reactor.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<Option<F::Output>> {
    let mut timer = Timer::new(duration)?;
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(Some(output)));
        }
        ready!(Pin::new(&mut timer).poll(cx));
        Poll::Ready(Ok(None))
    })
    .await
}
