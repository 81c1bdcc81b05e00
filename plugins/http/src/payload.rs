//! Bodies of requests. They can be sent more than once, since redirects and retries repeat them.

use std::collections::VecDeque;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use assay_plugin::{Error, Result, fragment};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The body of a request, as the script gave it.
#[derive(Clone)]
pub enum Payload {
    Bytes(Bytes),
    /// Bytes and files in turn.
    Pieces(Arc<[Piece]>),
}

/// Part of a payload.
pub enum Piece {
    Bytes(Bytes),
    /// A file, read while it is sent.
    File {
        option: String,
        path: String,
    },
}

impl Payload {
    /// Opens it for sending. Its length is known, as servers want it.
    ///
    /// # Errors
    /// A file that cannot be read, or has no length.
    pub fn open(&self) -> Result<Outgoing> {
        let mut outgoing = Outgoing::default();
        match self {
            Self::Bytes(bytes) => outgoing.push(Source::Bytes(bytes.clone()), bytes.len() as u64),
            Self::Pieces(pieces) => {
                for piece in pieces.iter() {
                    match piece {
                        Piece::Bytes(bytes) => {
                            outgoing.push(Source::Bytes(bytes.clone()), bytes.len() as u64);
                        }
                        Piece::File { option, path } => {
                            let (file, length) = File::open(option, path)?;
                            outgoing.push(Source::File(file), length);
                        }
                    }
                }
            }
        }
        Ok(outgoing)
    }
}

/// A body on its way; without content by default.
#[derive(Default)]
pub struct Outgoing {
    sources: VecDeque<Source>,
    left: u64,
    reading: Option<Receiver<Result<Bytes>>>,
}

enum Source {
    Bytes(Bytes),
    File(File),
}

impl Outgoing {
    fn push(&mut self, source: Source, length: u64) {
        if length > 0 {
            self.sources.push_back(source);
            self.left += length;
        }
    }

    fn sent(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                match std::task::ready!(reading.poll_recv(cx)) {
                    Some(Ok(bytes)) => return self.sent(bytes),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => self.reading = None,
                }
            }
            match self.sources.pop_front() {
                Some(Source::Bytes(bytes)) => return self.sent(bytes),
                Some(Source::File(file)) => self.reading = Some(file.read()),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A file that is open, of which so many bytes are sent.
struct File {
    file: std::fs::File,
    length: u64,
    path: String,
}

impl File {
    fn open(option: &str, path: &str) -> Result<(Self, u64)> {
        let wrong = |what: String| Error::argument(format!("option `{option}`: {what}"));
        #[expect(clippy::disallowed_methods, reason = "the message names the file")]
        let opened = std::fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (about, file) = opened.map_err(|error| {
            let reason = fragment(&error.to_string());
            wrong(format!("cannot read {path}: {reason}"))
        })?;
        if !about.is_file() {
            return Err(wrong(format!("{path} is no file")));
        }
        let length = about.len();
        let path = path.to_owned();
        Ok((Self { file, length, path }, length))
    }

    /// Reads on a thread that may wait for the disk, a little ahead of the network.
    fn read(self) -> Receiver<Result<Bytes>> {
        let (sender, receiver) = channel(2);
        tokio::task::spawn_blocking(move || self.send(&sender));
        receiver
    }

    fn send(mut self, sender: &Sender<Result<Bytes>>) {
        const CHUNK: usize = 64 << 10;
        while self.length > 0 {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(self.length).unwrap_or(CHUNK))];
            let chunk = match self.file.read(&mut chunk) {
                Ok(0) => Err("it became shorter while it was sent".into()),
                Ok(count) => {
                    chunk.truncate(count);
                    Ok(chunk)
                }
                Err(error) => Err(fragment(&error.to_string())),
            };
            let chunk = chunk.map_err(|reason: String| {
                Error::new("body", format!("cannot read {}: {reason}", self.path))
            });
            let failed = chunk.is_err();
            self.length -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            // The request may be over before its body.
            if sender.blocking_send(chunk.map(Bytes::from)).is_err() || failed {
                return;
            }
        }
    }
}
