//! `assay install`.

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::Result;
use assay_registry::install::{Install, Installed};
use assay_registry::name::{Kind, PackageName};
use semver::Version;

use super::Verb;
use super::arguments::{Argument, Arguments};
use super::setting::Setting;
use crate::{env, terminal};

pub const VERB: Verb = Verb {
    name: "install",
    about: "install packages and what they need",
    help: HELP,
    run,
};

const HELP: &str = "\
Install libraries and plugins, and what they need.

Usage: assay install [OPTIONS] [NAMES...]

NAMES are libraries (`vault`), plugins (`plugin/http`), with a range of versions
if you like (`vault@^0.1`). In a project (an assay.toml here or above) they are
recorded in assay.toml, pinned in assay.lock and installed into .assay/ beside
it; without names everything declared is installed. Elsewhere they go into the
first folder of ASSAY_LIB_PATH, else into $XDG_DATA_HOME/assay.

Options:
  --root DIR         install into this folder; names given with it are not recorded
  --registry SOURCE  where from: oci:DIR or HOST/PATH
  --locked           exactly what assay.lock pins; fail if assay.toml disagrees
  --platform OS/ARCH for another platform: linux/amd64 or linux/arm64
  --pre              count pre-releases
  -h, --help         this text
";

const FLAGS: [&str; 5] = ["root", "registry", "locked", "platform", "pre"];

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut arguments = Arguments::new(VERB.name, &FLAGS, arguments);
    let (mut root, mut registry, mut platform, mut locked, mut pre) =
        (None, None, None, false, false);
    let mut requests = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Word(name) => requests.push(name.parse()?),
            Argument::Flag(flag) => match flag.as_str() {
                "root" => root = Some(arguments.value()?),
                "registry" => registry = Some(arguments.value()?),
                "platform" => platform = Some(arguments.value()?.parse()?),
                "locked" => locked = true,
                _ => pre = true,
            },
        }
    }

    let setting = Setting::find()?;
    let (source, source_is_explicit) = setting.source(registry.as_deref())?;
    let target = setting.root(root.as_deref())?;
    let context = setting.context(&source)?;
    let named_into_a_root = root.is_some() && !requests.is_empty();
    let install = Install {
        root: target,
        project: setting.project.clone().filter(|_| !named_into_a_root),
        requests,
        source,
        source_is_explicit,
        locked,
        pre,
        platform,
    };
    let done = install.run(&context);
    drop(context);
    let done = done?;
    terminal::talk(&summary(&setting, &install, &done));
    if let Some(advice) = advice(&setting, &install, root.is_some()) {
        terminal::talk(&advice);
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(setting: &Setting, install: &Install, done: &Installed) -> String {
    let root = setting.shown(install.root.path());
    let mut text = match (done.installed.is_empty(), done.kept.is_empty()) {
        (true, true) => format!("nothing to install into {root}"),
        (true, false) => format!("nothing to do: {} in {root}", named(&done.kept)),
        (false, _) => format!("installed {} into {root}", named(&done.installed)),
    };
    if !done.removed.is_empty() {
        text.push_str(&format!("; removed {}", named(&done.removed)));
    }
    if !done.recorded.is_empty() {
        text.push_str("; recorded in assay.toml and assay.lock");
    }
    text
}

/// What to do next, where it is not obvious: a root that the runtime does not
/// look into by itself.
fn advice(setting: &Setting, install: &Install, root_was_named: bool) -> Option<String> {
    let path = install.root.path();
    let listed = env::text(env::ASSAY_LIB_PATH).is_some_and(|list| {
        list.split(':')
            .any(|root| setting.folder.join(root) == path)
    });
    let known = ["/lib/assay", "/usr/lib/assay"]
        .iter()
        .any(|known| path == std::path::Path::new(known))
        || install
            .project
            .as_ref()
            .is_some_and(|project| project.root() == path)
        || env::data_folder().is_some_and(|folder| folder == path);
    let shown = path.display();
    (root_was_named && !listed && !known)
        .then(|| format!("to use it: ASSAY_LIB_PATH={shown} assay SCRIPT.lua"))
}

/// `vault 0.1.0, k8s 0.1.0 and plugin http 0.1.0`.
fn named(packages: &[(PackageName, Version)]) -> String {
    let names: Vec<String> = packages
        .iter()
        .map(|(package, version)| match package.kind {
            Kind::Library => format!("{} {version}", package.name),
            Kind::Plugin => format!("plugin {} {version}", package.name),
        })
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
