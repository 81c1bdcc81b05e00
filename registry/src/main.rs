//! `assay-registry`: parse, dispatch, render the error, exit code.

mod cli;
mod env;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    terminal::explain_panics();
    match std::panic::catch_unwind(|| cli::run(arguments)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            terminal::error(&error);
            terminal::exit_code(&error)
        }
        // The hook has said what happened.
        Err(_) => ExitCode::from(terminal::INTERNAL),
    }
}
