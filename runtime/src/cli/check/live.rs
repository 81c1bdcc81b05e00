//! What is going on, for people: a line for each check that is done, and on a terminal those that run
//! below them.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assay::checks::{Event, Plan, Results};

use super::format;
use crate::cli::terminal;

/// Running checks that are shown.
const ROWS: usize = 10;

/// The state of the display. Scripts print from threads of their own.
pub struct Live(Mutex<State>);

struct State {
    names: Vec<String>,
    /// Whether running checks are shown.
    is_live: bool,
    colors: bool,
    /// The attempt of each check that runs.
    running: Vec<(usize, u32)>,
    /// Which checks' lines have been written.
    done: Vec<bool>,
    /// Lines below those, to be written over.
    drawn: usize,
}

impl Live {
    /// For the checks of a plan.
    pub fn new(plan: &Plan) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            names: plan.names().map(Into::into).collect(),
            is_live: terminal::stdout_is_terminal(),
            colors: terminal::stdout_colors(),
            running: Vec::new(),
            done: vec![false; plan.names().len()],
            drawn: 0,
        })))
    }

    /// Shows what happened.
    pub fn show(&self, event: &Event<'_>) {
        let mut state = self.lock();
        let mut text = state.erase();
        match event {
            Event::Attempt { index, attempt } => {
                match state.running.iter_mut().find(|(other, _)| other == index) {
                    Some((_, last)) => *last = *attempt,
                    None => state.running.push((*index, *attempt)),
                }
            }
            Event::Done { index, outcome } => {
                state.running.retain(|(other, _)| other != index);
                state.done[*index] = true;
                text += &format::human(outcome, state.colors);
            }
        }
        text += &state.draw();
        // Who does not read any more still gets the exit code.
        let _ = terminal::data(&text);
    }

    /// What scripts print, and log lines: on stderr, above what is drawn.
    pub fn talk(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let _ = terminal::data(&state.erase());
        terminal::talk_bytes(bytes);
        let _ = terminal::data(&state.draw());
    }

    /// The lines of checks that did not get to their end.
    pub fn rest(&self, results: &Results) -> String {
        let mut state = self.lock();
        let mut text = state.erase();
        state.running.clear();
        for (check, done) in results.checks.iter().zip(&state.done) {
            if !done {
                text += &format::human(check, state.colors);
            }
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes away what is drawn.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn draw(&mut self) -> String {
        if !self.is_live || self.running.is_empty() {
            return String::new();
        }
        // Without wrapping: a line that took two could not be counted.
        let mut text = String::from("\x1b[?7l");
        for &(index, attempt) in self.running.iter().take(ROWS) {
            let name: String = self.names[index]
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            let _ = match attempt {
                1 => writeln!(text, "... {name}"),
                more => writeln!(text, "... {name} (attempt {more})"),
            };
        }
        let done = self.done.iter().filter(|done| **done).count();
        let (count, running) = (self.done.len(), self.running.len());
        let _ = write!(text, "{done} of {count} done, {running} running\n\x1b[?7h");
        self.drawn = running.min(ROWS) + 1;
        text
    }
}
