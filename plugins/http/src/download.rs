//! `http.download`: a response's body into a file, all of it or nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_plugin::{Cx, Error, Result, View, fragment};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use ring::digest::{Context, SHA256};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::sleep;

use crate::body::next;
use crate::client::Settings;
use crate::exchange::{Content, Exchange};
use crate::failure;
use crate::incoming::Incoming;
use crate::request::Call;
use crate::retry::Outcome;

/// `http.download(url, path, opts?)`
pub fn download(
    cx: Cx,
    url: &str,
    path: &str,
    opts: View<'_>,
) -> impl Future<Output = Result<u64>> + use<> {
    let download =
        Settings::shared(&cx).and_then(|settings| Download::read(&cx, settings, url, path, opts));
    run(cx, download)
}

/// Loads what was read, if it was.
pub async fn run(cx: Cx, download: Result<Download>) -> Result<u64> {
    let download = download?;
    let context = cx.clone();
    cx.tokio(async move { download.run(&context).await }).await
}

/// A download that can be started.
pub struct Download {
    exchange: Exchange,
    path: PathBuf,
    sha256: Option<String>,
}

impl Download {
    pub fn read(
        cx: &Cx,
        settings: Arc<Settings>,
        url: &str,
        path: &str,
        opts: View<'_>,
    ) -> Result<Self> {
        let (call, sha256) = Call::read_download(cx, settings, url, opts)?;
        if let Some(digest) = &sha256
            && (digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(Error::argument(format!(
                "option `sha256`: expected 64 hexadecimal digits, got \"{}\"",
                digest.escape_debug()
            )));
        }
        cx.require("fs.write", path)?;
        Ok(Self {
            exchange: call.exchange,
            path: path.into(),
            sha256: sha256.map(|digest| digest.to_ascii_lowercase()),
        })
    }

    async fn run(&self, cx: &Cx) -> Result<u64> {
        let mut done = 0;
        loop {
            let answer = self.exchange.attempt(cx).await;
            done += 1;
            let result = match answer {
                Ok(answer) if (200..300).contains(&answer.status) => match answer.body {
                    Content::Stream(incoming) => self.store(incoming).await,
                    Content::Whole(_) => Err(Error::new("internal", "the body was read")),
                },
                Ok(answer) => {
                    let outcome = Outcome::Status(answer.status, answer.headers.get(RETRY_AFTER));
                    if let Some(pause) = self.exchange.pause(cx, done, &outcome) {
                        sleep(pause).await;
                        continue;
                    }
                    let status = StatusCode::from_u16(answer.status);
                    let what = status.map_or_else(|_| String::new(), |status| status.to_string());
                    return Err(failure::error("status", what, &answer.url).status(answer.status));
                }
                Err(error) => Err(error),
            };
            let pause = match &result {
                Ok(_) => None,
                Err(error) => self.exchange.pause(cx, done, &Outcome::Failed(error)),
            };
            match pause {
                Some(pause) => sleep(pause).await,
                None => return result,
            }
        }
    }

    /// Writes the body beside the file, and over it once all is there and as expected.
    async fn store(&self, mut incoming: Incoming) -> Result<u64> {
        let max = self.exchange.max_body;
        if incoming.announced() > max.bytes {
            return Err(failure::too_large(max, incoming.url()));
        }
        let temporary = Temporary::beside(&self.path)?;
        let file = temporary.file.try_clone();
        let file = file.map_err(|error| failed(&self.path, &error))?;
        // A thread that may wait for the disk. The network does not get far ahead of it.
        let (sender, receiver) = channel(8);
        let writing = tokio::task::spawn_blocking(move || write(file, receiver));
        while let Some(chunk) = next(&mut incoming, self.exchange.timeout).await? {
            // Its error is what the thread ends with.
            if sender.send(chunk).await.is_err() {
                break;
            }
        }
        drop(sender);
        let (written, digest) = writing
            .await
            .map_err(|error| Error::new("panic", error.to_string()))?
            .map_err(|error| failed(&self.path, &error))?;
        if let Some(expected) = &self.sha256
            && *expected != digest
        {
            let what = format!("sha256 is {digest}, expected {expected}");
            return Err(failure::error("digest", what, incoming.url()));
        }
        temporary.take_place()?;
        Ok(written)
    }
}

/// Writes, and waits for the disk. The size, and the digest in hexadecimal.
fn write(mut file: File, mut chunks: Receiver<Bytes>) -> io::Result<(u64, String)> {
    let mut digest = Context::new(&SHA256);
    let mut written = 0;
    while let Some(chunk) = chunks.blocking_recv() {
        digest.update(&chunk);
        file.write_all(&chunk)?;
        written += chunk.len() as u64;
    }
    file.sync_all()?;
    let digits = digest.finish();
    let digits = digits.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok((written, digits.collect()))
}

/// A file beside the one that it will be. Removed, unless it took that place.
struct Temporary {
    path: PathBuf,
    target: PathBuf,
    file: File,
    placed: bool,
}

impl Temporary {
    fn beside(path: &Path) -> Result<Self> {
        let failed = |error: &io::Error| {
            let error_is_missing = error.kind() == io::ErrorKind::NotFound;
            let error = failed(path, error);
            if error_is_missing {
                error.hint("`fs.mkdir` makes the folder")
            } else {
                error
            }
        };
        // A link stays, and what it points to is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(Error::new(
                "io",
                format!("cannot write {}: it is no file", path.display()),
            ));
        }
        loop {
            let mut random = [0; 8];
            crate::retry::random(&mut random);
            let name = format!(".assay-{:016x}.tmp", u64::from_le_bytes(random));
            let temporary = target.with_file_name(name);
            let mode = old
                .as_ref()
                .map_or(0o666, |old| old.permissions().mode() & 0o777);
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&temporary);
            match opened {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&error)),
                Ok(file) => {
                    let made = Self {
                        path: temporary,
                        target,
                        file,
                        placed: false,
                    };
                    if let Some(old) = old {
                        let kept = made.file.set_permissions(old.permissions());
                        kept.map_err(|error| failed(&error))?;
                    }
                    return Ok(made);
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the message names the file")]
    fn take_place(mut self) -> Result<()> {
        fs::rename(&self.path, &self.target).map_err(|error| failed(&self.target, &error))?;
        self.placed = true;
        // Without it the name is not yet on disk. Some file systems cannot; the content is safe already.
        let folder = match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Temporary {
    #[expect(clippy::disallowed_methods, reason = "nobody is left to tell")]
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    // As `fs` calls them.
    let kind = match error.kind() {
        io::ErrorKind::NotFound => "not_found",
        io::ErrorKind::PermissionDenied => "permission",
        _ => "io",
    };
    let reason = fragment(&error.to_string());
    Error::new(kind, format!("cannot write {}: {reason}", path.display()))
}
