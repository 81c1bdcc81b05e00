//! `assay info`.

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::info::Info;
use assay_registry::name::Request;
use serde_json::json;

use super::Verb;
use super::arguments::{Argument, Arguments};
use super::setting::Setting;
use super::table;
use crate::terminal;

pub const VERB: Verb = Verb {
    name: "info",
    about: "show what a package is and needs",
    help: HELP,
    run,
};

const HELP: &str = "\
Show what a package is, which versions there are, and what it needs.

Usage: assay info [OPTIONS] NAME[@RANGE]

Options:
  --registry SOURCE  where to look: oci:DIR or HOST/PATH
  --root DIR         where to look for an installed version; default as for `install`
  --pre              count pre-releases
  --json             JSON on stdout
  -h, --help         this text
";

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut arguments = Arguments::new(VERB.name, &["registry", "root", "pre", "json"], arguments);
    let (mut registry, mut root, mut pre, mut as_json) = (None, None, false, false);
    let mut request: Option<Request> = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Flag(flag) => match flag.as_str() {
                "registry" => registry = Some(arguments.value()?),
                "root" => root = Some(arguments.value()?),
                "pre" => pre = true,
                _ => as_json = true,
            },
            Argument::Word(word) if request.is_none() => request = Some(word.parse()?),
            Argument::Word(word) => return Err(arguments.unexpected(&word)),
        }
    }
    let request = request.ok_or_else(|| {
        Error::new(ErrorKind::Usage, "`info` needs the name of a package")
            .with_hint("for example `assay info vault`")
    })?;
    let setting = Setting::find()?;
    let (default, explicit) = setting.source(registry.as_deref())?;
    let declared = setting
        .project
        .as_ref()
        .and_then(|p| p.dependencies.get(&request.package)?.source.clone());
    let source = declared.filter(|_| !explicit).unwrap_or(default);
    let context = setting.context(&source)?;
    let info = Info::read(&*context.open(&source)?, &request, pre);
    drop(context);
    let info = info?;
    let installed = setting.root(root.as_deref())?.installed()?;
    let installed = installed
        .into_iter()
        .find(|meta| meta.package().ok().as_ref() == Some(&request.package));
    let installed = installed.map(|meta| meta.version);

    let manifest = &info.manifest;
    let versions: Vec<String> = info
        .versions
        .iter()
        .rev()
        .map(ToString::to_string)
        .collect();
    let platforms: Vec<String> = info.platforms.iter().map(ToString::to_string).collect();
    if as_json {
        let document = json!({
            "kind": manifest.kind, "name": manifest.name, "version": manifest.version,
            "description": manifest.description, "versions": versions, "installed": installed,
            "source": source.to_string(), "digest": info.digest, "platforms": platforms,
            "requires": manifest.requires, "requires_builtins": manifest.requires_builtins,
            "provides": manifest.provides, "annotations": info.annotations,
        });
        terminal::data(&format!("{document:#}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let annotation = |key: &str| info.annotations.get(key).cloned().unwrap_or_default();
    let requires: Vec<String> = manifest
        .requires
        .iter()
        .map(|(name, range)| format!("{name} {range}"))
        .collect();
    let rows = [
        (manifest.kind.noun(), manifest.name.clone()),
        ("version", manifest.version.clone()),
        ("description", manifest.description.clone()),
        ("license", annotation("org.opencontainers.image.licenses")),
        ("sources", annotation("org.opencontainers.image.source")),
        ("requires", requires.join(", ")),
        ("builtins", manifest.requires_builtins.join(", ")),
        ("provides", manifest.provides.join(", ")),
        ("plugin API", annotation("rs.assay.api")),
        ("glibc", annotation("rs.assay.glibc.min")),
        ("platforms", platforms.join(", ")),
        ("versions", versions.join(", ")),
        ("installed", installed.unwrap_or_else(|| "no".to_owned())),
        ("source", source.to_string()),
        ("digest", info.digest.to_string()),
    ];
    let rows: Vec<[String; 2]> = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| [key.to_owned(), value])
        .collect();
    terminal::data(&table(&rows))?;
    Ok(ExitCode::SUCCESS)
}
