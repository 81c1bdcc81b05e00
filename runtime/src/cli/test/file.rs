//! One test file: its VM, its tests one after the other, their results.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay::{Error, EventLoop, Vm};
use assay_plugin::Func;

use super::Options;
use super::suite::{self, Item, Suite};
use crate::cli::report::Report;
use crate::cli::setting::Setting;

/// The results of a file.
pub struct Result {
    /// As it was found.
    pub path: String,
    /// Loading and cleaning up included.
    pub took: Duration,
    pub tests: Vec<Outcome>,
}

/// The result of a test, or of what is around tests and failed.
pub struct Outcome {
    pub name: String,
    pub took: Duration,
    pub end: End,
}

/// How a test ended.
pub enum End {
    Passed,
    Skipped,
    Failed(Box<Failure>),
}

/// A failure.
pub struct Failure {
    pub report: Report,
    /// What it wrote to stdout and to the log.
    pub output: String,
}

/// Runs a file.
///
/// # Errors
/// When its VM cannot be made.
pub fn run(path: &Path, options: &Options) -> std::result::Result<Result, Error> {
    let began = Instant::now();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let output = Output::default();
    let vm = make_vm(path, folder, options, &output)?;
    let event_loop = EventLoop::new()?;
    let mut run = Run {
        vm,
        event_loop,
        options,
        output,
        tests: Vec::new(),
    };
    match run.load(path) {
        Ok(suite) => run.suite(&suite, &Hooks::default()),
        Err(error) => run.failed("(loading the file)".into(), Duration::ZERO, error),
    }
    let tests = std::mem::take(&mut run.tests);
    drop(run);
    Ok(Result {
        path: path.display().to_string(),
        took: began.elapsed(),
        tests,
    })
}

fn make_vm(
    path: &Path,
    folder: &Path,
    options: &Options,
    output: &Output,
) -> std::result::Result<Vm, Error> {
    let mut setting = Setting::of(folder)?;
    if let Some(root) = library_root(folder) {
        setting.roots.retain(|other| *other != root);
        setting.roots.insert(0, root);
    }
    let mut config = setting.config()?;
    options.limits.apply(&mut config, &setting)?;
    let (out, log) = (output.clone(), output.clone());
    config.output = Arc::new(move |bytes| {
        out.write(bytes);
        Ok(())
    });
    config.log.sink = Arc::new(move |line| log.write(line));
    config.families = suite::FAMILIES.to_vec();
    let vm = Vm::new(config)?;
    vm.set_args(path.as_os_str().as_encoded_bytes(), &[])?;
    vm.set_script_dir(folder)?;
    Ok(vm)
}

/// The root that has the library under test: the parent of the nearest folder with an `init.lua`, which
/// is at most two above the test, as in `mylib/tests/parts/first_test.lua`.
fn library_root(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    let library = folder
        .ancestors()
        .take(3)
        .find(|folder| folder.join("init.lua").is_file())?;
    library.parent().map(Into::into)
}

/// What scripts wrote since it was last taken.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn write(&self, bytes: &[u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
    }

    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

struct Run<'a> {
    // Closed before the event loop that its tasks are registered with goes.
    vm: Vm,
    event_loop: EventLoop,
    options: &'a Options,
    output: Output,
    tests: Vec<Outcome>,
}

/// What runs around a test: outermost first.
#[derive(Default, Clone)]
struct Hooks {
    before: Vec<Func>,
    after: Vec<Func>,
}

impl Run<'_> {
    fn load(&self, path: &Path) -> std::result::Result<Suite, Error> {
        let source = fs_err::read(path).map_err(|error| Error::new("io", error.to_string()))?;
        let body = self.vm.load(&format!("@{}", path.display()), &source)?;
        suite::open_file();
        let loaded = self.step(async move { body.call::<()>(()).await });
        let suite = suite::close_file();
        loaded.map(|()| suite)
    }

    /// Runs something of the file to its end.
    fn step(
        &self,
        future: impl Future<Output = assay_plugin::Result<()>> + 'static,
    ) -> std::result::Result<(), Error> {
        if let Some(reason) = self.vm.stopped() {
            let why = match reason {
                assay::Stopped::Timeout => "ran out of time",
                _ => "ended the VM",
            };
            return Err(Error::new(
                "stopped",
                format!("not run, because an earlier test of the file {why}"),
            ));
        }
        // Boxed: one instance of what runs it, instead of one for each step.
        let future: Pin<Box<dyn Future<Output = assay_plugin::Result<()>>>> = Box::pin(future);
        Ok(self.event_loop.block_on(self.vm.run_until(future))??)
    }

    fn hooks(&self, hooks: Vec<Func>) -> std::result::Result<(), Error> {
        if hooks.is_empty() {
            Ok(())
        } else {
            self.step(in_turn(hooks))
        }
    }

    fn suite(&mut self, suite: &Suite, around: &Hooks) {
        if !self.selects_any(suite) {
            return;
        }
        let mut hooks = around.clone();
        hooks.before.extend_from_slice(&suite.before_each);
        hooks.after.extend_from_slice(&suite.after_each);
        let runs = !suite.is_skipped;
        let prepared = if runs {
            self.hooks(suite.before_all.clone())
        } else {
            Ok(())
        };
        if let Err(error) = prepared {
            self.failed(named(suite, "before_all"), Duration::ZERO, error);
        } else {
            for item in &suite.items {
                match item {
                    Item::Suite(inner) => self.suite(inner, &hooks),
                    Item::Test(test) if !self.selects(&test.name) => {}
                    Item::Test(test) if test.is_skipped => {
                        self.tests.push(Outcome {
                            name: test.name.clone(),
                            took: Duration::ZERO,
                            end: End::Skipped,
                        });
                    }
                    Item::Test(test) => self.test(test, &hooks),
                }
            }
        }
        if runs && let Err(error) = self.hooks(suite.after_all.iter().rev().cloned().collect()) {
            self.failed(named(suite, "after_all"), Duration::ZERO, error);
        }
    }

    fn test(&mut self, test: &suite::Test, hooks: &Hooks) {
        let began = Instant::now();
        drop(self.output.take());
        let (hooks, body) = (hooks.clone(), test.body.clone());
        let result = self.step(async move {
            let mut result = in_turn(hooks.before).await;
            if result.is_ok() {
                result = body.call::<()>(()).await;
            }
            // Whatever happened; the first failure is the one that is told.
            for hook in hooks.after.into_iter().rev() {
                result = result.and(hook.call::<()>(()).await);
            }
            result
        });
        match result {
            Ok(()) => {
                self.tests.push(Outcome {
                    name: test.name.clone(),
                    took: began.elapsed(),
                    end: End::Passed,
                });
            }
            Err(error) => self.failed(test.name.clone(), began.elapsed(), error),
        }
    }

    fn failed(&mut self, name: String, took: Duration, error: Error) {
        let end = End::Failed(Box::new(Failure {
            report: error.into(),
            output: self.output.take(),
        }));
        self.tests.push(Outcome { name, took, end });
    }

    fn selects(&self, name: &str) -> bool {
        self.options
            .filter
            .as_ref()
            .is_none_or(|filter| name.contains(filter.as_str()))
    }

    fn selects_any(&self, suite: &Suite) -> bool {
        suite.items.iter().any(|item| match item {
            Item::Test(test) => self.selects(&test.name),
            Item::Suite(inner) => self.selects_any(inner),
        })
    }
}

fn named(suite: &Suite, hook: &str) -> String {
    if suite.name.is_empty() {
        hook.into()
    } else {
        format!("{} > {hook}", suite.name)
    }
}

async fn in_turn(functions: Vec<Func>) -> assay_plugin::Result<()> {
    for function in functions {
        function.call::<()>(()).await?;
    }
    Ok(())
}
