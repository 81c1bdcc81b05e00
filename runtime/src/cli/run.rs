//! `assay SCRIPT`: one run, in one VM unless the script asks for workers.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assay::{Config, Error, EventLoop, Stopped, Vm};
use assay_plugin::abi::level;
use assay_plugin::did_you_mean;

use super::arguments::{Run, Script};
use super::report::Report;
use super::setting::Setting;
use super::workers::Workers;
use super::{env, exit, signals, terminal};

/// How long a stopped script may take to notice before the process ends without it: one call into C
/// may take arbitrarily long.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the script; the exit code.
///
/// # Errors
/// When it cannot be started.
pub fn run(options: Run) -> Result<u8, Error> {
    let source = Source::read(options.script)?;
    let setting = Setting::of(&source.folder)?;
    let mut config = setting.config()?;
    options.confinement.apply(&mut config, &setting)?;
    let log = config.log.clone();
    let job = Arc::new(Job {
        source,
        arguments: options
            .arguments
            .into_iter()
            .map(OsString::into_vec)
            .collect(),
    });
    let timeout = config.timeout;
    let workers = Workers::default();
    workers.attach(&mut config, &job);
    let vm = job.vm(config)?;
    workers.lead(vm.stop_handle());
    let event_loop = EventLoop::new()?;
    let grace = env::shutdown_timeout()?;
    let signals = signals::watch(vm.stop_handle(), grace)?;
    if let Some(timeout) = timeout {
        signals::give_up_after(timeout);
    }

    let result = event_loop.block_on(signals.beside(job.run(&vm), || workers.shutdown(grace)));
    let stopped = vm.stopped();
    // Files that the script left open are written out, its finalizers run.
    drop(vm);
    let code = job.exit_code(result, stopped);
    let signal = signals.exit_code();
    let code = workers.finish(signal.map(|_| grace)).unwrap_or(code);
    Ok(match signal {
        Some(code) => {
            log.write(level::DEBUG, "ended by a signal", None);
            code
        }
        None => code,
    })
}

/// A script and its arguments, for any number of VMs.
pub struct Job {
    source: Source,
    arguments: Vec<Vec<u8>>,
}

impl Job {
    /// A VM that is ready to run it.
    ///
    /// # Errors
    /// As [`Vm::new`].
    pub fn vm(&self, config: Config) -> Result<Vm, Error> {
        let vm = Vm::new(config)?;
        vm.set_args(&self.source.name, &self.arguments)?;
        vm.set_script_dir(&self.source.folder)?;
        Ok(vm)
    }

    async fn run(&self, vm: &Vm) -> Result<(), Error> {
        vm.run(&self.source.chunk, &self.source.text).await
    }

    /// Runs it beside the first VM. The exit code, unless it just ended or was told to.
    pub fn run_worker(&self, vm: Vm) -> Option<u8> {
        let result = EventLoop::new().and_then(|event_loop| event_loop.block_on(self.run(&vm)));
        let stopped = vm.stopped();
        if result.is_ok() && stopped.is_none() || stopped == Some(Stopped::Interrupted) {
            return None;
        }
        Some(self.exit_code(result, stopped))
    }

    /// What a run comes to; says what went wrong.
    fn exit_code(&self, result: Result<(), Error>, stopped: Option<Stopped>) -> u8 {
        match (result, stopped) {
            (_, Some(Stopped::Exit(code))) => code as u8,
            (Err(error), Some(Stopped::Timeout)) => {
                terminal::error(&self.source.report(error));
                exit::TIMEOUT
            }
            (Ok(()), _) | (Err(_), Some(Stopped::Interrupted)) => exit::OK,
            // The reader of the output has seen enough.
            (Err(error), _) if error.kind == "closed_output" => exit::OK,
            (Err(error), _) => {
                terminal::error(&self.source.report(error));
                exit::FAILED
            }
        }
    }
}

/// A script's text, and what it is called.
struct Source {
    text: Vec<u8>,
    /// `arg[0]`.
    name: Vec<u8>,
    /// Lua's name of the chunk.
    chunk: String,
    /// Where its modules and its project are looked for.
    folder: PathBuf,
}

impl Source {
    fn read(script: Script) -> Result<Self, Error> {
        match script {
            Script::Code(code) => Ok(Self {
                text: code.into_bytes(),
                name: b"-e".to_vec(),
                chunk: "=(command line)".into(),
                folder: ".".into(),
            }),
            Script::Stdin => {
                let mut text = Vec::new();
                std::io::stdin()
                    .lock()
                    .read_to_end(&mut text)
                    .map_err(|error| {
                        Error::new("io", format!("cannot read the script from stdin: {error}"))
                    })?;
                Ok(Self {
                    text,
                    name: b"-".to_vec(),
                    chunk: "=stdin".into(),
                    folder: ".".into(),
                })
            }
            Script::File(path) => {
                let text = fs_err::read(&path).map_err(|error| unreadable(&path, &error))?;
                let folder = match path.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                    _ => ".".into(),
                };
                Ok(Self {
                    text,
                    name: path.as_os_str().as_bytes().to_vec(),
                    chunk: format!("@{}", path.display()),
                    folder,
                })
            }
        }
    }

    /// An error with the script's lines, which are read from memory where no file has them.
    fn report(&self, error: Error) -> Report {
        let name = self.chunk.trim_start_matches(['=', '@']);
        Report::of_script(error, name, &self.text)
    }
}

/// Why a file could not be read, and what else may have been meant.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let failed =
        |what: &str| Error::new("usage", format!("cannot read {}: {what}", path.display()));
    match error.kind() {
        ErrorKind::NotFound => match neighbour(path) {
            Some(near) => failed("no such file").with_hint(format!("did you mean `{near}`?")),
            None => failed("no such file"),
        },
        ErrorKind::IsADirectory => failed("it is a directory").with_hint(format!(
            "to run the tests in it: assay test {}",
            path.display()
        )),
        _ => Error::new("usage", error.to_string()),
    }
}

/// A file in the same folder with nearly the same name.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs_err::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let near = did_you_mean(
        path.file_name()?.to_str()?,
        names.iter().map(String::as_str),
    )?;
    Some(path.with_file_name(near).display().to_string())
}
