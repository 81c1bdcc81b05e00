//! `assay list`.

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::Result;
use serde_json::json;

use super::Verb;
use super::arguments::{Argument, Arguments};
use super::setting::Setting;
use super::table;
use crate::terminal;

pub const VERB: Verb = Verb {
    name: "list",
    about: "list what is installed",
    help: HELP,
    run,
};

const HELP: &str = "\
List the packages that are installed. Works offline.

Usage: assay list [OPTIONS]

Options:
  --root DIR   the root to look into; default as for `install`
  --json       JSON on stdout
  -h, --help   this text
";

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut arguments = Arguments::new(VERB.name, &["root", "json"], arguments);
    let (mut root, mut as_json) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Flag(flag) if flag == "root" => root = Some(arguments.value()?),
            Argument::Flag(_) => as_json = true,
            Argument::Word(word) => return Err(arguments.unexpected(&word)),
        }
    }
    let setting = Setting::find()?;
    let root = setting.root(root.as_deref())?;
    let installed = root.installed()?;
    if as_json {
        let packages: Vec<_> = installed
            .iter()
            .map(|meta| {
                json!({
                    "kind": meta.kind, "name": meta.name, "version": meta.version,
                    "description": meta.description, "source": meta.source, "digest": meta.digest,
                })
            })
            .collect();
        let document = json!({ "root": root.path(), "packages": packages });
        terminal::data(&format!("{document:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = installed
        .into_iter()
        .map(|meta| {
            [
                meta.kind.noun().to_owned(),
                meta.name,
                meta.version,
                meta.source.unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        terminal::talk(&format!(
            "nothing is installed in {}",
            setting.shown(root.path())
        ));
    }
    terminal::data(&table(&rows))?;
    Ok(ExitCode::SUCCESS)
}
