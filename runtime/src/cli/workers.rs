//! More VMs that run the script, for servers with `workers`: each on a thread of its own.
//!
//! The first VM leads: when it ends, they end. One that fails ends the others and gives the exit code.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    thread: Arc<Thread>,
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
        let thread = Arc::new(Thread::default());
        let ended = Ended(Arc::clone(&thread));
        let this = self.clone();
        // As much stack as the main thread has: the same scripts run here.
        std::thread::Builder::new()
            .name(format!("assay-worker-{}", worker.index))
            .stack_size(8 << 20)
            .spawn(move || {
                let ended = ended;
                let vm = match job.vm(config) {
                    Ok(vm) => vm,
                    Err(error) => {
                        return ended.0.update(|progress| progress.made = Some(Err(error)));
                    }
                };
                let stop = vm.stop_handle();
                ended.0.update(|progress| progress.made = Some(Ok(stop)));
                if let Some(code) = job.run_worker(vm) {
                    this.end(code);
                }
            })
            .map_err(|error| Error::new("workers", format!("cannot start a thread: {error}")))?;
        let stop = thread.made()?;
        self.state().running.push(Running { stop, thread });
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
                worker.thread.wait_for_end(left);
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

/// What is known of a worker's thread. Not two channels, each for one message: std's are 18 KB.
#[derive(Default)]
struct Thread {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    /// Its VM, or why there is none.
    made: Option<Result<StopHandle, Error>>,
    has_ended: bool,
}

impl Thread {
    fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress());
        self.changed.notify_all();
    }

    /// Waits for the VM.
    fn made(&self) -> Result<StopHandle, Error> {
        let waits = |progress: &mut Progress| progress.made.is_none() && !progress.has_ended;
        let progress = self.changed.wait_while(self.progress(), waits);
        let made = progress.unwrap_or_else(PoisonError::into_inner).made.take();
        made.unwrap_or_else(|| Err(Error::new("workers", "a worker's thread ended at once")))
    }

    fn wait_for_end(&self, limit: Duration) {
        let runs = |progress: &mut Progress| !progress.has_ended;
        let waited = self
            .changed
            .wait_timeout_while(self.progress(), limit, runs);
        drop(waited);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Dropped with the thread, also when it panics.
struct Ended(Arc<Thread>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.update(|progress| progress.has_ended = true);
    }
}
