//! `assay test`: runs `*_test.lua` files, each in a VM of its own, several at once.
//!
//! - `suite`: `describe`, `it` and the hooks: what a file declares
//! - `file`: one file, from its VM to the results of its tests
//! - `format`: results for people, as TAP and as JUnit's XML

mod file;
pub mod format;
pub mod suite;

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use assay::Error;

use super::confine::Confinement;
use super::{exit, signals, terminal};
use format::Summary;

/// What `assay test` was asked for.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Only tests whose full name contains it.
    pub filter: Option<String>,
    /// How many files run at once; `None` for one on each core.
    pub jobs: Option<usize>,
    /// How results look.
    pub format: Format,
    /// Where they go, besides a list for people on stdout.
    pub output: Option<PathBuf>,
    /// Of each test: memory and time.
    pub limits: Confinement,
}

/// How results look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    /// For people.
    Human,
    /// Test Anything Protocol, version 14.
    Tap,
    /// JUnit's XML.
    Junit,
}

/// Runs the tests; the exit code.
///
/// # Errors
/// When they cannot be started.
pub fn run(options: Options) -> Result<u8, Error> {
    signals::quit()?;
    let files = find(&options.paths)?;
    let live = options.format == Format::Human || options.output.is_some();
    let mut results = Vec::with_capacity(files.len());
    run_all(files, &options, |result| {
        if live && !result.tests.is_empty() {
            terminal::data(&format::human_file(&result, terminal::stdout_colors()))?;
        }
        results.push(result);
        Ok(())
    })?;
    let summary = Summary::of(&results);
    let text = match options.format {
        Format::Human => format::human(&results, &summary),
        Format::Tap => format::tap(&results),
        Format::Junit => format::junit(&results, &summary),
    };
    let mut code = if summary.failed == 0 {
        exit::OK
    } else {
        exit::FAILED
    };
    match &options.output {
        None => drop(terminal::data(&text)?),
        Some(path) => {
            fs_err::write(path, &text).map_err(|error| Error::new("io", error.to_string()))?;
            terminal::data(&summary.line())?;
        }
    }
    if summary.passed + summary.failed + summary.skipped == 0 {
        terminal::error(&nothing_found(&options).into());
        code = exit::FAILED;
    }
    Ok(code)
}

fn nothing_found(options: &Options) -> Error {
    match &options.filter {
        Some(filter) => Error::new("usage", format!("no test has `{filter}` in its name"))
            .with_hint("without --filter every test runs, and its full name is shown"),
        None => {
            let paths: Vec<_> = options
                .paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            Error::new("usage", format!("no tests were found in {}", paths.join(", ")))
                .with_hint("tests are in files named *_test.lua: describe(\"it\", function() it(\"works\", function() end) end)")
        }
    }
}

/// Runs the files on some threads, and hands out their results in the files' order.
fn run_all(
    files: Vec<PathBuf>,
    options: &Options,
    mut done: impl FnMut(file::Result) -> Result<(), Error>,
) -> Result<(), Error> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(cores).min(files.len());
    let board = Board::new(files.len(), jobs);
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (board, files) = (&board, &files);
            let work = move || {
                let _leave = Leave(board);
                while let Some(at) = board.take() {
                    board.put(at, file::run(&files[at], options));
                }
            };
            // As much stack as the main thread has, where scripts run otherwise.
            thread::Builder::new()
                .stack_size(8 << 20)
                .spawn_scoped(scope, work)
                .map_err(|error| {
                    board.stop();
                    Error::new("io", format!("cannot start a thread: {error}"))
                })?;
        }
        for at in 0..files.len() {
            let Some(result) = board.wait(at) else { break };
            let told = result.and_then(&mut done);
            if told.is_err() {
                board.stop();
                return told;
            }
        }
        Ok(())
    })
}

/// What the threads of a run share.
struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The first file that nobody has taken.
    next: usize,
    results: Vec<Option<Result<file::Result, Error>>>,
    /// Threads that may still put a result.
    workers: usize,
}

impl Board {
    fn new(files: usize, workers: usize) -> Self {
        let results = std::iter::repeat_with(|| None).take(files).collect();
        Self {
            state: Mutex::new(State {
                next: 0,
                results,
                workers,
            }),
            changed: Condvar::new(),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        self.changed.notify_one();
        result
    }

    /// A file to run.
    fn take(&self) -> Option<usize> {
        self.change(|state| {
            let at = state.next;
            state.next += 1;
            (at < state.results.len()).then_some(at)
        })
    }

    fn put(&self, at: usize, result: Result<file::Result, Error>) {
        self.change(|state| state.results[at] = Some(result));
    }

    /// Has the threads end after the files that they run.
    fn stop(&self) {
        self.change(|state| state.next = state.results.len());
    }

    /// The result of a file; none when no thread is left to give one.
    fn wait(&self, at: usize) -> Option<Result<file::Result, Error>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.results[at].is_none() && state.workers > 0 {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.results[at].take()
    }
}

/// A thread that ends, by a panic too: nobody may wait for what it would have given.
struct Leave<'a>(&'a Board);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.workers -= 1);
    }
}

/// Every test file under the paths, sorted, each once.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(
                "usage",
                format!("cannot read {}: no such file or folder", path.display()),
            ),
            _ => Error::new("usage", error.to_string()),
        };
        // A file that is named is a test file, whatever its name.
        if fs_err::metadata(path).map_err(unreadable)?.is_file() {
            files.push(path.clone());
        } else {
            walk(path, &mut files).map_err(unreadable)?;
        }
    }
    for file in &mut files {
        if let Ok(shorter) = file.strip_prefix(".") {
            *file = shorter.to_owned();
        }
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if name.starts_with('.') {
            // Installed libraries (.assay) have tests of their own, and repositories no tests.
        } else if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if name.ends_with("_test.lua") {
            files.push(entry.path());
        }
    }
    Ok(())
}
