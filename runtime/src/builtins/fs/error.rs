//! What failed, on which path, in the words of the house.

use std::fs;
use std::io::{self, ErrorKind};
use std::iter;
use std::path::Path;

use assay_plugin::{Cx, Error, Result, did_you_mean};

/// An attempt on a path.
pub(super) struct Tried<'a> {
    cx: &'a Cx,
    verb: &'a str,
    path: &'a Path,
    to: Option<&'a Path>,
}

impl<'a> Tried<'a> {
    pub(super) fn new(cx: &'a Cx, verb: &'a str, path: &'a Path) -> Self {
        Self {
            cx,
            verb,
            path,
            to: None,
        }
    }

    /// Names the target as well.
    pub(super) fn to(self, to: &'a Path) -> Self {
        Self {
            to: Some(to),
            ..self
        }
    }

    /// Makes an error of the system an error that says what was tried.
    pub(super) fn ok<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|error| self.explain(&error))
    }

    /// As [`ok`](Self::ok), with `None` where there is nothing.
    pub(super) fn unless_absent<T>(&self, result: io::Result<T>) -> Result<Option<T>> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// An error of our own.
    pub(super) fn because(&self, kind: &'static str, why: impl std::fmt::Display) -> Error {
        let (verb, path) = (self.verb, self.path.display());
        match self.to {
            Some(to) => Error::new(
                kind,
                format!("cannot {verb} {path} to {}: {why}", to.display()),
            ),
            None => Error::new(kind, format!("cannot {verb} {path}: {why}")),
        }
    }

    fn explain(&self, error: &io::Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::NotFound => "not_found",
            ErrorKind::PermissionDenied => "permission",
            ErrorKind::AlreadyExists => "exists",
            _ => "io",
        };
        let explained = self.because(kind, words(error));
        match error.kind() {
            ErrorKind::NotFound => match self.near() {
                Some(near) => explained.hint(format!("did you mean {near}?")),
                None => explained,
            },
            ErrorKind::ReadOnlyFilesystem => {
                explained.hint("mount a writable volume there, or write below fs.tempdir()")
            }
            ErrorKind::DirectoryNotEmpty if self.verb == "remove" => {
                explained.hint("pass {recursive = true} to remove what is in it")
            }
            ErrorKind::CrossesDevices => {
                explained.hint("that is another file system: use fs.copy and fs.remove")
            }
            ErrorKind::IsADirectory if self.verb == "read" => explained.hint("use fs.list"),
            _ => explained,
        }
    }

    /// The name beside it that was probably meant, if the script may see it.
    fn near(&self) -> Option<String> {
        let parent = match self.path.parent()? {
            here if here.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        self.cx.require("fs.read", &parent.to_string_lossy()).ok()?;
        let names: Vec<String> = fs::read_dir(parent)
            .ok()?
            .take(1000)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        let near = did_you_mean(self.path.file_name()?.to_str()?, names.iter().map(|n| &**n))?;
        Some(self.path.with_file_name(near).display().to_string())
    }
}

/// The system's words without its number, as a fragment.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.find(" (os error") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => iter::once(first.to_ascii_lowercase())
            .chain(letters)
            .collect(),
        None => "unknown error".into(),
    }
}
