//! What templates read: files of one folder.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assay_plugin::{Cx, Error, Result};
use minijinja::ErrorKind;

use crate::failure::Raised;
use crate::{chains, text};

/// More is no template.
const MAX_SIZE: u64 = 64 << 20;

/// The folder of the rendered file, from which every name in its templates starts.
#[derive(Clone)]
pub struct Files {
    cx: Cx,
    folder: PathBuf,
}

impl Files {
    pub fn new(cx: Cx, folder: &Path) -> Self {
        Self {
            cx,
            folder: folder.to_path_buf(),
        }
    }

    /// The source of a template; `None` where there is no file.
    pub fn load(&self, name: &str) -> Result<Option<String>, minijinja::Error> {
        // Also where `..` would stay inside, as Jinja2 has it: names often come from variables.
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Err(minijinja::Error::new(
                ErrorKind::InvalidOperation,
                format!("template `{name}` leads out of {}", self.folder_name()),
            ));
        }
        self.read(&self.path(name)).map_err(Raised::wrap)
    }

    /// Where a name leads.
    pub fn path(&self, name: &str) -> PathBuf {
        let name = text::to_bytes(name);
        let parts = name
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".");
        self.folder
            .join(parts.map(OsStr::from_bytes).collect::<PathBuf>())
    }

    fn folder_name(&self) -> impl fmt::Display + '_ {
        match self.folder.as_os_str().is_empty() {
            true => Path::new(".").display(),
            false => self.folder.display(),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<String>> {
        let failed = |why: &dyn fmt::Display| {
            Error::new("io", format!("cannot read {}: {why}", path.display()))
        };
        self.cx.require("fs.read", &path.to_string_lossy())?;
        let mut source = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the message names the file")]
        let read =
            File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut source));
        match read {
            Ok(_) if source.len() as u64 > MAX_SIZE => {
                Err(failed(&format_args!("it has more than {MAX_SIZE} bytes")))
            }
            Ok(_) => {
                let source = text::from_bytes(&source).into_owned();
                chains::check(&path.to_string_lossy(), &source)?;
                Ok(Some(source))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}
