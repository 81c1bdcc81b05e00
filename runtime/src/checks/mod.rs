//! Checks: a YAML file says what must hold; it is tried, again where it failed, several at once, to a
//! result for each.
//!
//! Not here: the command line, the environment, and how results look to people.
//!
//! # Layout
//! - `file`, `keys`: from the file to a [`Plan`], mistakes with their places; every key.
//! - `variables`: `${NAME}` in texts, and what messages may not tell.
//! - `expression`: what `expect.json` says. `text`: durations, and texts in messages.
//! - `run`: [`Run`]: a plan, its attempts, and [`Results`]. `attempt`: one attempt of each type.
//! - `schema` (in tests): the JSON Schema for editors, made from `keys`.

mod attempt;
mod expression;
mod file;
mod keys;
mod run;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod variables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_plugin::Value;
use regex_lite::Regex;

pub use run::{Event, Outcome, Results, Run};
pub use variables::Lookup;

use crate::Error;
use expression::Expression;
use variables::Secrets;

/// A checks file that makes sense.
pub struct Plan {
    /// Of the whole run.
    timeout: Duration,
    checks: Vec<Check>,
    secrets: Secrets,
}

struct Check {
    name: String,
    kind: Kind,
    /// Of an attempt.
    timeout: Option<Duration>,
    retries: u32,
    backoff: Backoff,
    /// How many checks may run while it does.
    parallel: usize,
}

enum Kind {
    /// The options of `http.request`.
    Http(Value, HttpExpectations),
    /// The same, and the bounds of every value.
    Prometheus(Value, Option<f64>, Option<f64>),
    /// The file, and what is in its environment.
    Script(PathBuf, Vec<(String, String)>),
}

#[derive(Default)]
struct HttpExpectations {
    /// First and last of ranges; none for 2xx.
    status: Vec<(i64, i64)>,
    body: Vec<Matcher>,
    /// Lower-case names.
    headers: Vec<(String, Matcher)>,
    json: Vec<Expression>,
    latency: Option<Duration>,
}

enum Matcher {
    Contains(String),
    Matches(Regex),
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy)]
struct Backoff {
    initial: Duration,
    /// None: each wait is longer by `initial`.
    factor: Option<f64>,
    max: Duration,
    /// The part of a wait that is up to chance.
    jitter: f64,
}

impl Plan {
    /// Reads a file.
    ///
    /// `name` is what mistakes call it, `folder` where the paths of its scripts begin (the current one
    /// without it), `lookup` what its variables stand for.
    ///
    /// # Errors
    /// All mistakes, each with line and column.
    pub fn parse(
        name: &str,
        text: &str,
        folder: Option<&Path>,
        lookup: Lookup<'_>,
    ) -> Result<Self, Vec<Error>> {
        file::parse(name, text, folder.unwrap_or(Path::new("")), lookup)
    }

    /// The checks' names, in their order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.checks.iter().map(|check| check.name.as_str())
    }

    /// How long the whole run may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Replaces how long the whole run may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Http(..) => "http",
            Self::Prometheus(..) => "prometheus",
            Self::Script(..) => "script",
        }
    }
}

impl Backoff {
    const fn linear(step: Duration) -> Self {
        Self {
            initial: step,
            factor: None,
            max: Duration::MAX,
            jitter: 0.0,
        }
    }

    /// How long to wait after that attempt, counted from 1; `chance` is from 0 to 1.
    fn wait(&self, attempt: u32, chance: f64) -> Duration {
        let initial = self.initial.as_secs_f64();
        let wait = match self.factor {
            None => initial * f64::from(attempt),
            Some(factor) => initial * factor.powf(f64::from(attempt - 1)),
        };
        let wait = wait.min(self.max.as_secs_f64()) * (1.0 - self.jitter * chance);
        Duration::try_from_secs_f64(wait).unwrap_or(self.max)
    }
}
