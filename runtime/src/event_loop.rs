//! One thread's reactor and timers, for hosts without a tokio of their own.

use std::pin::{Pin, pin};

use tokio::runtime::{Builder, Runtime};

use crate::Error;

/// What a VM's futures are polled with.
pub struct EventLoop(Runtime);

impl EventLoop {
    /// # Errors
    /// For lack of descriptors.
    pub fn new() -> Result<Self, Error> {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .map(Self)
            .map_err(|error| Error::new("io", format!("cannot set up the event loop: {error}")))
    }

    /// Runs a future to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut result = None;
        {
            // Tokio's loop is 3 KB of code for each type of future: this is one for all.
            let future: Pin<&mut dyn Future<Output = ()>> =
                pin!(async { result = Some(future.await) });
            self.0.block_on(future);
        }
        result.expect("the future has ended")
    }
}
