//! A tokio thread of the plugin's own, for libraries that need tokio (hyper-util, sqlx).

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle};

use crate::error::{Error, Result};
use crate::host::Cx;
use crate::panic;

static RUNTIME: OnceLock<std::result::Result<Handle, String>> = OnceLock::new();

/// The runtime of the thread, which starts with the first use and ends with the process.
fn runtime() -> Result<&'static Handle> {
    let started = RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("assay-plugin".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .map_err(|e| e.to_string())?;
        Ok(handle)
    });
    started
        .as_ref()
        .map_err(|error| Error::new("thread", format!("cannot start the I/O thread: {error}")))
}

impl Cx {
    /// Runs a future on the plugin's tokio thread. Dropping the result cancels it.
    ///
    /// # Errors
    /// The future's; kind `panic` when it panicked.
    pub fn tokio<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<T>> + use<T, F> {
        struct Abort<T>(tokio::task::JoinHandle<T>);
        impl<T> Drop for Abort<T> {
            fn drop(&mut self) {
                self.0.abort();
            }
        }
        // Boxed here, since every future around this one would be as large, and moved more than once.
        let future = Contained(Box::pin(future));
        async move {
            let mut task = Abort(runtime()?.spawn(future));
            match (&mut task.0).await {
                Ok(result) => result,
                Err(error) => Err(Error::new(
                    "cancelled",
                    format!("the plugin's I/O thread ended: {error}"),
                )),
            }
        }
    }
}

/// Where a future may be spawned to outlive the call that starts it.
///
/// # Errors
/// When the thread cannot be started.
pub fn handle() -> Result<Handle> {
    runtime().cloned()
}

/// A future whose panic is its error.
struct Contained<F>(Pin<Box<F>>);

impl<T, F: Future<Output = Result<T>>> Future for Contained<F> {
    type Output = Result<T>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let future = self.0.as_mut();
        panic::contain(|| future.poll(cx)).unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}
