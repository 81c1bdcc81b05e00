//! The command line: one file for each verb, each with its help and its `run`.

mod arguments;
mod info;
mod install;
mod list;
mod publish;
mod setting;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::name::closest;

use crate::terminal;

/// A verb: its name, one line for the overview, its help, and what it does.
struct Verb {
    name: &'static str,
    about: &'static str,
    help: &'static str,
    run: fn(Vec<OsString>) -> Result<ExitCode>,
}

const VERBS: [Verb; 5] = [
    install::VERB,
    list::VERB,
    verify::VERB,
    info::VERB,
    publish::VERB,
];

/// Runs a command line, without the program's name.
pub fn run(mut arguments: Vec<OsString>) -> Result<ExitCode> {
    if arguments.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no command was given")
            .with_hint("assay-registry --help lists them"));
    }
    let first = arguments.remove(0).to_string_lossy().into_owned();
    match first.as_str() {
        "help" | "--help" | "-h" => {
            let verb = arguments
                .first()
                .map(|name| find(&name.to_string_lossy()))
                .transpose()?;
            terminal::data(&verb.map_or_else(overview, |verb| verb.help.to_owned()))?;
        }
        "version" | "--version" | "-V" => {
            terminal::data(&format!("assay-registry {}\n", env!("CARGO_PKG_VERSION")))?;
        }
        name => {
            let verb = find(name)?;
            let before_dashes = arguments.iter().take_while(|argument| *argument != "--");
            if before_dashes
                .into_iter()
                .any(|argument| argument == "--help" || argument == "-h")
            {
                terminal::data(verb.help)?;
            } else {
                return (verb.run)(arguments);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| {
        let error = Error::new(ErrorKind::Usage, format!("there is no command `{name}`"));
        match closest(name, VERBS.iter().map(|verb| verb.name)) {
            Some(verb) => error.with_hint(format!("did you mean `{verb}`?")),
            None => error.with_hint("assay-registry --help lists the commands"),
        }
    })
}

fn overview() -> String {
    let mut text = "Packages for Assay: libraries and plugins as OCI images.\n\nUsage: assay-registry COMMAND [OPTIONS]\n\nCommands:\n".to_owned();
    for verb in &VERBS {
        text.push_str(&format!("  {:<10}{}\n", verb.name, verb.about));
    }
    text.push_str(FOOTER);
    text
}

/// Columns as wide as their widest cell; the last one is not padded.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

const FOOTER: &str = "  help      this text, or that of a command
  version   the version

A source of packages is a registry (HOST/PATH) or an OCI layout directory
(oci:DIR). It is taken from --registry, else ASSAY_REGISTRY, else `registry`
in the [project] of assay.toml, else ghcr.io/developerinlondon/assay.

Exit codes: 0 ok; 1 the operation failed, or `verify` found damage; 2 the command
line, a file or the set-up is wrong; 70 a bug in assay-registry.
";
