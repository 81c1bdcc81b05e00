//! `assay-<name>`: commands that are programs of their own, as git and cargo have them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use assay::Error;

use super::{arguments, env};

/// Becomes the program: returns only when that fails.
///
/// # Errors
/// When there is none, or it does not start.
pub fn run(name: &str, arguments: Vec<OsString>) -> Result<u8, Error> {
    let Some(program) = find(&format!("assay-{name}")) else {
        return Err(missing(name, &arguments));
    };
    let error = Command::new(&program).args(arguments).exec();
    Err(Error::new(
        "io",
        format!("cannot start {}: {error}", program.display()),
    ))
}

fn missing(name: &str, arguments: &[OsString]) -> Error {
    if name != "registry" {
        return arguments::unknown_command(name);
    }
    let verb = arguments
        .first()
        .map(|verb| verb.to_string_lossy().into_owned())
        .unwrap_or_default();
    Error::new(
        "usage",
        format!("`assay {verb}` needs the program assay-registry, which is neither beside assay nor on PATH"),
    )
    .with_hint("put assay-registry from the same release beside assay; images without it hold what they need already")
}

/// Beside this executable, then on PATH.
fn find(program: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.to_owned()));
    beside
        .into_iter()
        .chain(
            env::search_path()
                .into_iter()
                .filter(|folder| !folder.as_os_str().as_bytes().is_empty()),
        )
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
