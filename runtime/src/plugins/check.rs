//! Decides from a file's note whether this runtime can load it. Every refusal is one line that says
//! what to do.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use assay_plugin::abi;

use super::elf;
use crate::Error;
use crate::lua::host::SERVICES;

/// A plugin file that may be loaded.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The family.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `major.minor` of the ABI.
    pub abi: String,
    /// The kit it was written with.
    pub sdk: String,
    /// Permissions that it may ask for.
    pub permissions: Vec<String>,
    /// Native libraries that must be loaded once only.
    pub links: Vec<String>,
}

/// Libraries that a plugin may need: what every glibc system has.
const SYSTEM: [&str; 9] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "linux-vdso.so.1",
];

/// Checks an open file. `name` and `version` are those of its file name.
///
/// # Errors
/// One line; kind `plugin_abi` when only the ABI does not fit, `plugin` for what is broken.
pub fn check(path: &Path, file: &File, name: &str, version: &str) -> Result<Checked, Error> {
    let fail = |kind: &str, message: String, hint: &str| {
        let error = Error::new(
            kind,
            format!("plugin {name} {version} ({}): {message}", path.display()),
        );
        Err(if hint.is_empty() {
            error
        } else {
            error.with_hint(hint.to_owned())
        })
    };
    let reinstall = format!("assay install plugin/{name}");
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return fail("plugin", format!("cannot be read: {error}"), ""),
    };
    if !metadata.is_file() {
        return fail("plugin", "is not a regular file".into(), "");
    }
    if metadata.mode() & 0o002 != 0 {
        let fix = format!("chmod o-w {}", path.display());
        return fail("plugin", "is writable by everybody".into(), &fix);
    }
    let own = metadata.uid() == 0 || metadata.uid() == effective_user();
    if !own {
        let what = format!(
            "belongs to user {}, neither root nor the one who runs assay",
            metadata.uid()
        );
        return fail("plugin", what, &format!("chown root {}", path.display()));
    }
    let folder = path.parent().and_then(|folder| folder.metadata().ok());
    // Sticky folders keep others from replacing files that are not theirs.
    if folder.is_some_and(|folder| folder.mode() & 0o1002 == 0o002) {
        return fail(
            "plugin",
            "lies in a folder that everybody can write to".into(),
            "chmod o-w the folder",
        );
    }
    let info = match elf::read(file) {
        Ok(info) => info,
        Err(what) => return fail("plugin", what, &reinstall),
    };
    let note = |key: &str| info.note.get(key).cloned().unwrap_or_default();
    if info.note.is_empty() {
        return fail(
            "plugin",
            "is no Assay plugin: it has no `.note.assay`".into(),
            &reinstall,
        );
    }
    if note("name") != name || note("version") != version {
        let is = format!(
            "is plugin {} {} by its note: the file name does not fit",
            note("name"),
            note("version")
        );
        return fail("plugin", is, &reinstall);
    }
    let Some((major, minor)) = elf::parse_version(&note("abi")) else {
        return fail(
            "plugin",
            format!("names no plugin API in its note (`abi={}`)", note("abi")),
            &reinstall,
        );
    };
    let (own_major, own_minor) = (u32::from(abi::ABI_MAJOR), u32::from(abi::ABI_MINOR));
    if major != own_major {
        let what = format!("speaks plugin API {major}, this assay speaks {own_major}");
        let hint = match major > own_major {
            true => format!(
                "use a newer assay, or an older {name}: assay install plugin/{name}@<version>"
            ),
            false => format!("update the plugin: {reinstall}"),
        };
        return fail("plugin_abi", what, &hint);
    }
    if minor > own_minor {
        let what =
            format!("needs plugin API {major}.{minor}, this assay has {own_major}.{own_minor}");
        return fail(
            "plugin_abi",
            what,
            &format!("use a newer assay, or an older {name}"),
        );
    }
    for need in list(&note("needs")) {
        if !SERVICES.contains(&need.as_str()) {
            let family = need.split('/').next().unwrap_or(&need);
            let have = SERVICES.iter().find(|service| service.starts_with(family));
            let what = match have {
                Some(have) => format!("needs service {need}, this assay has {have}"),
                None => format!("needs service {need}, which this assay lacks"),
            };
            return fail(
                "plugin_abi",
                what,
                &format!("use a newer assay, or an older {name}"),
            );
        }
    }
    let known = abi::LAYOUTS
        .iter()
        .find(|(at, _)| u32::from(*at) == minor)
        .map(|(_, hash)| format!("{hash:016x}"));
    if known.as_deref() != Some(&note("layout")) {
        let what = format!(
            "was built against other layouts of plugin API {major}.{minor} ({})",
            note("layout")
        );
        return fail(
            "plugin",
            what,
            "rebuild it with a released version of the kit",
        );
    }
    if note("panic") != "unwind" {
        let what = "is built with panic=abort: a panic in it would end the process".into();
        return fail("plugin", what, "rebuild it with panic = \"unwind\"");
    }
    if info.runpath {
        return fail(
            "plugin",
            "brings its own library search path (RPATH or RUNPATH)".into(),
            "link it without one",
        );
    }
    if let Some(library) = info
        .needed
        .iter()
        .find(|library| !SYSTEM.contains(&library.as_str()))
    {
        let hint = match library.contains("musl") {
            true => "it was built for musl: take the build for glibc",
            false => "link it statically into the plugin",
        };
        return fail("plugin", format!("needs the library {library}"), hint);
    }
    if let (Some((major, minor)), Some(own)) = (info.glibc, glibc())
        && (major, minor) > own
    {
        let what = format!(
            "needs glibc {major}.{minor}, this system has {}.{}",
            own.0, own.1
        );
        return fail(
            "plugin",
            what,
            "use a newer base image, or a build for an older glibc",
        );
    }
    Ok(Checked {
        name: name.into(),
        version: version.into(),
        abi: note("abi"),
        sdk: note("sdk"),
        permissions: list(&note("perm")),
        links: list(&note("links")),
    })
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .filter(|item| !item.is_empty())
        .map(Into::into)
        .collect()
}

fn effective_user() -> u32 {
    super::load::effective_user()
}

/// The glibc that runs; `None` elsewhere.
fn glibc() -> Option<(u32, u32)> {
    super::load::glibc_version().and_then(|version| elf::parse_version(&version))
}
