//! `assay check FILE`, or a YAML file alone: checks, with their results in a format.
//!
//! - `format`: results for people, as TAP and as JUnit's XML
//! - `live`: what is going on, on a terminal

mod format;
mod live;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assay::checks::{Plan, Run};
use assay::{Config, Error, EventLoop, Policy};

use super::confine::Confinement;
use super::report::Report;
use super::run::unreadable;
use super::setting::Setting;
use super::{env, exit, signals, terminal};
use live::Live;

/// What `assay check` was asked for.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// `-` for standard input.
    pub file: PathBuf,
    /// How results look.
    pub format: Format,
    /// Whether only the file is looked at.
    pub validate: bool,
    /// What scripts and requests may do and take; its time is that of the whole run.
    pub confinement: Confinement,
}

/// How results look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Format {
    /// For people.
    Human,
    /// One object.
    Json,
    /// JUnit's XML.
    Junit,
    /// Test Anything Protocol, version 14.
    Tap,
}

/// Runs the checks; the exit code.
///
/// # Errors
/// When they cannot be started.
pub fn run(options: Options) -> Result<u8, Error> {
    let (name, text) = read(&options.file)?;
    let folder = match options.file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut plan = match Plan::parse(&name, &text, options.file.parent(), &env::variable) {
        Ok(plan) => plan,
        Err(mistakes) => {
            for (at, mistake) in mistakes.into_iter().enumerate() {
                if at > 0 {
                    terminal::talk("\n");
                }
                terminal::error(&Report::of_script(mistake, &name, text.as_bytes()));
            }
            return Ok(exit::USAGE);
        }
    };
    if options.validate {
        let count = plan.names().len();
        let plural = if count == 1 { "" } else { "s" };
        return terminal::data(&format!("{name}: {count} check{plural}\n"));
    }
    let live = Live::new(&plan);
    let mut config = config(folder, &options, &live)?;
    if let Some(timeout) = config.timeout.take() {
        // That of a sandbox is a bound; one that was asked for replaces the file's.
        let asked = (options.confinement.settings.iter()).any(|(name, _)| *name == "timeout");
        plan.set_timeout(if asked {
            timeout
        } else {
            timeout.min(plan.timeout())
        });
    }
    // Whatever scripts print, and programs that they start.
    terminal::keep_stdout()?;
    let is_human = options.format == Format::Human;
    let run = Run::new(plan, config)?;
    let event_loop = EventLoop::new()?;
    let signals = signals::watch(run.stop_handle(), Duration::ZERO)?;
    let progress = Arc::clone(&live);
    let checks = run.run(move |event| {
        if is_human {
            progress.show(event);
        }
    });
    let ended = event_loop.block_on(signals.beside(checks, || {}));
    drop(run);
    let results = ended?;

    let text = match options.format {
        Format::Human => live.rest(&results) + &format::summary(&results),
        Format::Json => results.to_json(),
        Format::Junit => format::junit(&results, &name),
        Format::Tap => format::tap(&results),
    };
    let written = terminal::data(&text)?;
    Ok(match (signals.exit_code(), results.passed) {
        (Some(code), _) => code,
        (None, true) => written,
        (None, false) => exit::FAILED,
    })
}

/// What scripts' VMs are made with, and that of requests: a sandbox, unless more is allowed.
fn config(folder: &Path, options: &Options, live: &Arc<Live>) -> Result<Config, Error> {
    let setting = Setting::of(folder)?;
    let mut config = setting.config()?;
    if !options.confinement.allow_all {
        config.policy = Policy::checks();
    }
    options.confinement.apply(&mut config, &setting)?;
    if options.format == Format::Human {
        let (output, log) = (Arc::clone(live), Arc::clone(live));
        config.output = Arc::new(move |bytes| {
            output.talk(bytes);
            Ok(())
        });
        config.log.sink = Arc::new(move |line| log.talk(line));
    }
    Ok(config)
}

/// What a file is called, and its text.
fn read(file: &Path) -> Result<(String, String), Error> {
    let mut bytes = Vec::new();
    let name = if file == Path::new("-") {
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Error::new("io", format!("cannot read checks from stdin: {error}")))?;
        "stdin".into()
    } else {
        bytes = fs_err::read(file).map_err(|error| unreadable(file, &error))?;
        file.display().to_string()
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        Error::new("checks", format!("{name}:{line}: not UTF-8"))
    })?;
    Ok((name, text))
}
