//! Running a plan.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use assay_plugin::abi::level;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::attempt::{Threads, Tools};
use super::{Kind, Plan, text};
use crate::{Config, Error, StopHandle, Vm};

/// A plan that is about to be run.
pub struct Run {
    plan: Rc<Plan>,
    config: Config,
    /// Where requests are made. No script runs in it.
    vm: Vm,
}

/// What happens on the way.
pub enum Event<'a> {
    /// An attempt begins, counted from 1.
    Attempt {
        /// Of the check, in the file's order.
        index: usize,
        /// Which one.
        attempt: u32,
    },
    /// A check is done.
    Done {
        /// Of the check, in the file's order.
        index: usize,
        /// What came of it.
        outcome: &'a Outcome,
    },
}

/// What came of a check.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// As the file has it.
    pub name: String,
    /// `http`, `prometheus` or `script`.
    pub kind: &'static str,
    /// Whether the last attempt passed.
    pub passed: bool,
    /// From the first attempt's beginning to the last one's end, waits included.
    pub duration: Duration,
    /// Why it failed.
    pub message: Option<String>,
    /// How many there were.
    pub attempts: u32,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Results {
    /// Whether every check passed.
    pub passed: bool,
    /// In the file's order; those that did not finish have failed.
    pub checks: Vec<Outcome>,
    /// Of the whole run.
    pub duration: Duration,
}

impl Run {
    /// Prepares a run; scripts get VMs with this configuration.
    ///
    /// # Errors
    /// For lack of memory.
    pub fn new(plan: Plan, config: Config) -> Result<Self, Error> {
        let mut own = config.clone();
        // Bodies are bounded one by one, and the run by its own timeout.
        (own.memory_limit, own.timeout) = (None, None);
        Ok(Self {
            plan: Rc::new(plan),
            config,
            vm: Vm::new(own)?,
        })
    }

    /// To end the run from elsewhere: it then returns what it has.
    pub fn stop_handle(&self) -> StopHandle {
        self.vm.stop_handle()
    }

    /// Runs the checks.
    ///
    /// # Errors
    /// When nothing could be run, because a plugin is missing or broken.
    pub async fn run(&self, progress: impl Fn(&Event<'_>) + 'static) -> Result<Results, Error> {
        let began = Instant::now();
        let needs_http = |kind: &Kind| !matches!(kind, Kind::Script(..));
        if self.plan.checks.iter().any(|check| needs_http(&check.kind)) {
            // Loads the plugin. Where it fails, no line of a script is to blame.
            let loaded = self.vm.run("=checks", b"local request = http.request");
            loaded.await.map_err(|mut error| {
                error.source = None;
                error.traceback = None;
                error
            })?;
        }
        let tools = Tools {
            request: self.vm.load("=checks", b"return http.request(...)")?,
            parse: self.vm.load("=checks", b"return json.parse(...)")?,
            config: self.config.clone(),
            threads: Threads::default(),
        };
        let threads = tools.threads.clone();
        let state = Rc::new(State {
            plan: Rc::clone(&self.plan),
            tools,
            progress: Box::new(progress),
            slots: self.plan.checks.iter().map(|_| Slot::default()).collect(),
        });
        let timeout = self.plan.timeout;
        let all = tokio::time::timeout(timeout, all(Rc::clone(&state)));
        let ended = self.vm.run_until(all).await;
        let why = match ended {
            Ok(Ok(())) => String::new(),
            Ok(Err(_)) => format!("the timeout of the run, {timeout:?}, was over"),
            Err(error) if error.kind == "interrupted" => "the run was interrupted".into(),
            Err(error) => return Err(error),
        };
        threads.settle();
        let checks: Vec<Outcome> = (0..state.slots.len())
            .map(|index| state.outcome(index, &why))
            .collect();
        Ok(Results {
            passed: checks.iter().all(|check| check.passed),
            checks,
            duration: began.elapsed(),
        })
    }
}

struct State {
    plan: Rc<Plan>,
    tools: Tools,
    progress: Box<dyn Fn(&Event<'_>)>,
    slots: Vec<Slot>,
}

/// How far a check is.
#[derive(Default)]
struct Slot {
    began: Cell<Option<Instant>>,
    attempts: Cell<u32>,
    /// Why the last attempt failed.
    failure: RefCell<Option<String>>,
    outcome: RefCell<Option<Outcome>>,
}

/// Runs every check, in the file's order as far as `parallel` lets them wait.
async fn all(state: Rc<State>) {
    let checks = &state.plan.checks;
    let mut running = FuturesUnordered::new();
    let mut indexes: Vec<usize> = Vec::new();
    let mut next = 0;
    loop {
        while let Some(check) = checks.get(next) {
            // Neither it nor those that run want more company.
            let limits = indexes.iter().map(|index| checks[*index].parallel);
            if indexes.len() >= limits.chain([check.parallel]).min().unwrap_or(1) {
                break;
            }
            indexes.push(next);
            running.push(one(&state, next));
            next += 1;
        }
        match running.next().await {
            Some(done) => indexes.retain(|index| *index != done),
            None => return,
        }
    }
}

/// Runs a check to its end; its index.
async fn one(state: &State, index: usize) -> usize {
    let (check, slot) = (&state.plan.checks[index], &state.slots[index]);
    slot.began.set(Some(Instant::now()));
    for attempt in 1.. {
        slot.attempts.set(attempt);
        (state.progress)(&Event::Attempt { index, attempt });
        let secrets = &state.plan.secrets;
        let result = state.tools.attempt(check, secrets).await;
        let is_last = match &result {
            Ok(()) => true,
            Err(failed) => failed.is_final || attempt > check.retries,
        };
        slot.failure
            .replace(result.err().map(|failed| secrets.hide(&failed.message)));
        if is_last {
            break;
        }
        let wait = check.backoff.wait(attempt, chance());
        state.log_retry(index, wait);
        tokio::time::sleep(wait).await;
    }
    let outcome = state.outcome(index, "");
    (state.progress)(&Event::Done {
        index,
        outcome: &outcome,
    });
    slot.outcome.replace(Some(outcome));
    index
}

impl State {
    /// What came of a check; `why` says why it did not finish, if it did not.
    fn outcome(&self, index: usize, why: &str) -> Outcome {
        let (check, slot) = (&self.plan.checks[index], &self.slots[index]);
        if let Some(outcome) = slot.outcome.borrow().clone() {
            return outcome;
        }
        let failure = slot.failure.borrow().clone();
        let message = match (why, failure, slot.began.get()) {
            ("", failure, _) => failure,
            (why, _, None) => Some(format!("not run: {why}")),
            (why, None, _) => Some(format!("not finished: {why}")),
            (why, Some(failure), _) => Some(format!("not finished: {why}; before that: {failure}")),
        };
        Outcome {
            name: check.name.clone(),
            kind: check.kind.name(),
            passed: message.is_none(),
            duration: slot
                .began
                .get()
                .map_or(Duration::ZERO, |began| began.elapsed()),
            message,
            attempts: slot.attempts.get(),
        }
    }

    fn log_retry(&self, index: usize, wait: Duration) {
        let (check, slot) = (&self.plan.checks[index], &self.slots[index]);
        let failure = slot.failure.borrow();
        let message = format!(
            "check {}: attempt {} of {} failed, the next one is in {wait:?}: {}",
            check.name,
            slot.attempts.get(),
            check.retries + 1,
            failure.as_deref().unwrap_or_default()
        );
        self.tools.config.log.write(level::DEBUG, &message, None);
    }
}

/// A number from 0 to 1 that nobody knows before: keys of hash maps are as random as waits need to be.
fn chance() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

impl Results {
    /// The results as one line of JSON.
    pub fn to_json(&self) -> String {
        let checks: Vec<String> = self
            .checks
            .iter()
            .map(|check| {
                let message = check.message.as_deref().map(text::quoted);
                format!(
                    "{{\"name\":{},\"passed\":{},\"duration_ms\":{},\"message\":{},\"attempts\":{},\"type\":\"{}\"}}",
                    text::quoted(&check.name),
                    check.passed,
                    check.duration.as_millis(),
                    message.as_deref().unwrap_or("null"),
                    check.attempts,
                    check.kind
                )
            })
            .collect();
        format!(
            "{{\"passed\":{},\"checks\":[{}],\"duration_ms\":{}}}\n",
            self.passed,
            checks.join(","),
            self.duration.as_millis()
        )
    }
}
