//! `assay verify`.

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::lock::Lock;
use assay_registry::meta::Meta;
use assay_registry::name::{PackageName, closest};
use assay_registry::root::Damage;

use super::Verb;
use super::arguments::{Argument, Arguments};
use super::setting::Setting;
use crate::terminal;

pub const VERB: Verb = Verb {
    name: "verify",
    about: "compare installed files with their digests",
    help: HELP,
    run,
};

const HELP: &str = "\
Compare every installed file with the digest it was installed with, and in a
project every package with assay.lock. Works offline. Exit code 1: damage.

Usage: assay verify [OPTIONS] [NAMES...]

Options:
  --root DIR   the root to look into; default as for `install`
  -h, --help   this text
";

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut arguments = Arguments::new(VERB.name, &["root"], arguments);
    let (mut root_flag, mut names) = (None, Vec::<PackageName>::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Flag(_) => root_flag = Some(arguments.value()?),
            Argument::Word(name) => names.push(name.parse()?),
        }
    }
    let setting = Setting::find()?;
    let root = setting.root(root_flag.as_deref())?;
    let installed = root.installed()?;
    let shown = setting.shown(root.path());
    for name in &names {
        if !installed.iter().any(|meta| is(meta, name)) {
            let error = Error::new(
                ErrorKind::NotFound,
                format!("{name} is not installed in {shown}"),
            );
            let known: Vec<String> = installed
                .iter()
                .filter_map(|meta| Some(meta.package().ok()?.typed()))
                .collect();
            return Err(
                match closest(&name.typed(), known.iter().map(String::as_str)) {
                    Some(close) => error.with_hint(format!("did you mean `{close}`?")),
                    None => error.with_hint(format!("assay install {}", name.typed())),
                },
            );
        }
    }

    let mut faults = Vec::new();
    let chosen: Vec<&Meta> = installed
        .iter()
        .filter(|meta| names.is_empty() || names.iter().any(|name| is(meta, name)))
        .collect();
    for meta in &chosen {
        let package = meta.package()?;
        for damage in root.verify(meta)? {
            faults.push(match damage {
                Damage::Missing(file) => format!("{package}: {file} is missing"),
                Damage::Changed(file) => format!("{package}: {file} was changed"),
            });
        }
    }
    let project = setting.project.as_ref().filter(|_| root_flag.is_none());
    let lock = project
        .map(|project| Lock::read(&project.lock_path()))
        .transpose()?
        .flatten();
    for locked in lock.iter().flat_map(|lock| &lock.packages) {
        let package = locked.package()?;
        if !names.is_empty() && !names.contains(&package) {
            continue;
        }
        match installed.iter().find(|meta| is(meta, &package)) {
            None => faults.push(format!(
                "{package} {} is in assay.lock and not installed",
                locked.version
            )),
            Some(meta) if meta.digest.as_ref() != Some(&locked.digest) => faults.push(format!(
                "{package} {} is installed, assay.lock pins {} ({})",
                meta.version,
                locked.version,
                locked.digest.short()
            )),
            Some(_) => {}
        }
    }
    if names.is_empty() {
        for file in root.strangers(&installed)? {
            terminal::talk(&format!("note: {file} belongs to no package"));
        }
    }

    for fault in &faults {
        terminal::data(&format!("{fault}\n"))?;
    }
    if !faults.is_empty() {
        let again = if project.is_some() {
            "assay install"
        } else {
            "assay install NAME"
        };
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("{} faults in {shown}", faults.len()),
        )
        .with_hint(format!("`{again}` puts packages right again")));
    }
    terminal::talk(&format!("{} packages in {shown} are intact", chosen.len()));
    Ok(ExitCode::SUCCESS)
}

fn is(meta: &Meta, name: &PackageName) -> bool {
    (meta.kind, &meta.name) == (name.kind, &name.name)
}
