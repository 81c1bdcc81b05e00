//! `assay-<name>`: commands that are programs of their own, as git and cargo have them.

use std::ffi::{CString, OsString};
use std::io;
use std::iter;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::ptr;

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
    let error = become_program(&program, arguments);
    Err(Error::new(
        "io",
        format!("cannot start {}: {error}", program.display()),
    ))
}

/// Not `Command`, whose children, pipes and environments are 17 KB that nothing else here needs.
#[allow(unsafe_code)]
fn become_program(program: &Path, arguments: Vec<OsString>) -> io::Error {
    let words: Result<Vec<CString>, _> = iter::once(program.into())
        .chain(arguments)
        .map(|word: OsString| CString::new(word.into_vec()))
        .collect();
    match words {
        Err(error) => error.into(),
        Ok(words) => {
            let mut list: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
            list.push(ptr::null());
            // SAFETY: C strings that `words` keeps, and a null after them.
            unsafe { libc::execvp(list[0], list.as_ptr()) };
            io::Error::last_os_error()
        }
    }
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
