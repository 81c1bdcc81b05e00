//! `fs.lines`: a file, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use assay_plugin::{Cx, Error, Ref, Result, object};

use super::MAX_SIZE;
use super::error::Tried;

/// An open file. Mutex, since objects may be reached from any thread; there is never a wait.
pub(super) struct Lines {
    path: PathBuf,
    state: Mutex<State>,
}

enum State {
    Open(BufReader<File>),
    /// The end was read; the file is closed already.
    Ended,
    Closed,
}

object! {
    /// The lines of a file: `for line in fs.lines(path) do ... end`.
    Lines as "fs.Lines" {
        /// The next line without its line feed, or nil at the end.
        fn __call = "fun(): string?",
        /// Closes the file before its end. Not needed after the last line.
        fn close = "fun()",
        /// As `close`, for `local lines <close> = fs.lines(path)`.
        fn __close = "fun()",
    }
}

impl Lines {
    pub(super) fn new(file: File, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: Mutex::new(State::Open(BufReader::new(file))),
        }
    }

    fn __call(this: Ref<Self>, cx: Cx) -> Result<Option<Vec<u8>>> {
        let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match &mut *state {
            State::Open(reader) => reader,
            State::Ended => return Ok(None),
            State::Closed => {
                return Err(Error::new(
                    "closed",
                    format!("the lines of {} were closed", this.path.display()),
                ));
            }
        };
        let tried = Tried::new(&cx, "read", &this.path);
        let mut line = Vec::new();
        tried.ok(reader.take(MAX_SIZE + 1).read_until(b'\n', &mut line))?;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 > MAX_SIZE {
            let why = format!("a line has more than {MAX_SIZE} bytes");
            return Err(tried.because("size", why));
        } else if line.is_empty() {
            *state = State::Ended;
            return Ok(None);
        }
        Ok(Some(line))
    }

    fn close(this: Ref<Self>) {
        *this.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    fn __close(this: Ref<Self>) {
        Self::close(this);
    }
}
