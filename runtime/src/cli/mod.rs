//! The command line.
//!
//! - `arguments`: what was typed, as a [`Command`](arguments::Command)
//! - `run`, `check`, `plugins`, `types`, `test`, `external`: the commands
//! - `confine`: permissions and limits
//! - `workers`: a script in several VMs
//! - `setting`: what they share: library roots, pins, the log
//! - `report`: an error of a script with the script's lines
//! - `signals`: SIGTERM and Ctrl-C
//! - `env`, `exit`: every environment variable, every exit code
//! - `terminal`: the one module that writes to stdout and stderr

mod arguments;
mod check;
mod confine;
mod env;
pub mod exit;
mod external;
mod plugins;
mod report;
mod run;
mod setting;
mod signals;
pub mod terminal;
mod test;
mod types;
mod workers;

#[cfg(test)]
mod reference;

use std::ffi::OsString;

use arguments::Command;

/// Runs a command line, without the program's name; the exit code.
///
/// # Errors
/// For what is wrong with the command line or the set-up; scripts' errors are reported on the way.
pub fn run(arguments: Vec<OsString>) -> Result<u8, assay::Error> {
    signals::keep_broken_pipes()?;
    match arguments::parse(arguments)? {
        Command::Run(options) => run::run(options),
        Command::Check(options) => check::run(options),
        Command::Plugins(options) => plugins::run(options),
        Command::Types(folder) => types::run(&folder),
        Command::Test(options) => test::run(options),
        Command::External { name, arguments } => external::run(&name, arguments),
        Command::Help(text) => terminal::data(text),
        Command::Version => terminal::data(concat!("assay ", env!("CARGO_PKG_VERSION"), "\n")),
    }
}
