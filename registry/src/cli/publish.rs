//! `assay publish`.

use std::ffi::OsString;
use std::process::ExitCode;

use assay_registry::error::{Error, ErrorKind, Result};
use assay_registry::image::Image;
use assay_registry::manifest::Collection;
use assay_registry::publish::{Published, publish};
use assay_registry::source::SourceName;

use super::Verb;
use super::arguments::{Argument, Arguments};
use super::setting::Setting;
use crate::{env, terminal};

pub const VERB: Verb = Verb {
    name: "publish",
    about: "publish the packages of a manifest",
    help: HELP,
    run,
};

const HELP: &str = "\
Publish the packages of a manifest as OCI images.

Usage: assay publish [OPTIONS] --to SOURCE [NAMES...]

NAMES picks packages of the manifest (`vault`, `plugin/http`); all by default.
Prints one line for each package on stdout: REPOSITORY:VERSION@DIGEST.

Options:
  --to SOURCE        where to: oci:DIR or HOST/PATH
  --manifest FILE    what to publish; default manifest.yaml
  -h, --help         this text

A published version never changes; publishing the same bytes again is no error.
SOURCE_DATE_EPOCH sets the time that files and images carry.
";

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut arguments = Arguments::new(VERB.name, &["to", "manifest"], arguments);
    let (mut to, mut manifest, mut names) = (None, "manifest.yaml".to_owned(), Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Flag(flag) if flag == "to" => to = Some(arguments.value()?),
            Argument::Flag(_) => manifest = arguments.value()?,
            Argument::Word(name) => names.push(name.parse()?),
        }
    }
    let to = to.ok_or_else(|| {
        Error::new(ErrorKind::Usage, "`publish` needs to know where to publish")
            .with_hint("add --to oci:DIR or --to HOST/PATH")
    })?;
    let mtime = match env::text(env::SOURCE_DATE_EPOCH) {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|epoch| *epoch <= LAST_SECOND)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Usage,
                    format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds"),
                )
            })?,
    };

    let setting = Setting::find()?;
    let to = SourceName::parse(&to, &setting.folder)?;
    let collection = Collection::read(&setting.folder.join(manifest))?;
    let members = collection.select(&names)?;
    // Everything is built before anything is sent: a mistake in the last
    // package leaves nothing half published.
    let images = members
        .into_iter()
        .map(|member| Image::build(member, mtime))
        .collect::<Result<Vec<_>>>()?;
    let context = setting.context(&to)?;
    let target = context.create(&to)?;
    let (mut new, mut unchanged) = (0, 0);
    for image in &images {
        let digest = match publish(image, &*target)? {
            Published::New(digest) => {
                new += 1;
                digest
            }
            Published::Unchanged(digest) => {
                unchanged += 1;
                digest
            }
        };
        terminal::data(&format!(
            "{to}/{}:{}@{digest}\n",
            image.package.path(),
            image.version
        ))?;
    }
    drop(target);
    drop(context);
    let packages = if new == 1 { "package" } else { "packages" };
    let mut text = format!("published {new} {packages} to {to}");
    if unchanged > 0 {
        text.push_str(&format!(", {unchanged} were there already"));
    }
    terminal::talk(&text);
    Ok(ExitCode::SUCCESS)
}

/// The largest time that a tar header holds.
const LAST_SECOND: u64 = 8_589_934_591;
