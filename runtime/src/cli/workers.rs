//! More VMs that run the script, for servers with `workers`: each on a thread of its own.
//!
//! The first VM leads: when it ends, they end. One that fails ends the others and gives the exit code.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assay::{Config, Error, StopHandle, Worker};

use super::run::{Job, PATIENCE};

/// The workers of a run.
#[derive(Clone, Default)]
pub struct Workers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    first: Option<StopHandle>,
    running: Vec<Running>,
    /// The exit code of the one that ended the others.
    code: Option<u8>,
}

struct Running {
    stop: StopHandle,
    /// Closed when the thread is done.
    done: Receiver<()>,
}

impl Workers {
    /// Has VMs of this configuration start workers that run `job`.
    pub fn attach(&self, config: &mut Config, job: &Arc<Job>) {
        let (this, job, template) = (self.clone(), Arc::clone(job), config.clone());
        config.start_worker = Some(Arc::new(move |worker| {
            this.start(worker, template.clone(), Arc::clone(&job))
        }));
    }

    /// Sets the VM that leads.
    pub fn lead(&self, first: StopHandle) {
        self.state().first = Some(first);
    }

    fn start(&self, worker: Worker, mut config: Config, job: Arc<Job>) -> Result<(), Error> {
        config.worker = Some(worker);
        // The first one's ends them all.
        config.timeout = None;
        let (made, vm) = mpsc::channel();
        let (busy, done) = mpsc::channel::<()>();
        let this = self.clone();
        // As much stack as the main thread has: the same scripts run here.
        std::thread::Builder::new()
            .name(format!("assay-worker-{}", worker.index))
            .stack_size(8 << 20)
            .spawn(move || {
                let _busy = busy;
                let vm = match job.vm(config) {
                    Ok(vm) => vm,
                    Err(error) => return drop(made.send(Err(error))),
                };
                let _ = made.send(Ok(vm.stop_handle()));
                if let Some(code) = job.run_worker(vm) {
                    this.end(code);
                }
            })
            .map_err(|error| Error::new("workers", format!("cannot start a thread: {error}")))?;
        let stop = vm
            .recv()
            .unwrap_or_else(|_| Err(Error::new("workers", "a worker's thread ended at once")))?;
        self.state().running.push(Running { stop, done });
        Ok(())
    }

    /// Ends them all, with this exit code.
    fn end(&self, code: u8) {
        let mut state = self.state();
        state.code.get_or_insert(code);
        if let Some(first) = &state.first {
            first.stop();
        }
    }

    /// Has servers drain, as in the first VM.
    pub fn shutdown(&self, grace: Duration) {
        for worker in &self.state().running {
            worker.stop.shutdown(grace);
        }
    }

    /// Ends those that still run, at once or within the grace period that a shutdown gave them. The
    /// exit code, if one of them decided on it.
    pub fn finish(&self, grace: Option<Duration>) -> Option<u8> {
        let running = std::mem::take(&mut self.state().running);
        let wait = |until: Instant| {
            for worker in &running {
                let left = until.saturating_duration_since(Instant::now());
                let _ = worker.done.recv_timeout(left);
            }
        };
        if let Some(grace) = grace {
            wait(Instant::now() + grace);
        }
        for worker in &running {
            worker.stop.stop();
        }
        wait(Instant::now() + PATIENCE);
        self.state().code
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
