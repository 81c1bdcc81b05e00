//! SHA-256 digests, and readers and writers that compute one in passing.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, corrupt};

/// A SHA-256 digest in its OCI spelling, `sha256:<64 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest::from_hash(Sha256::digest(bytes).as_slice())
    }

    /// The 64 hex digits alone: the name of a blob in a layout.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// Twelve digits, enough for a person to compare.
    pub fn short(&self) -> &str {
        &self.0[..PREFIX.len() + 12]
    }

    fn from_hash(hash: &[u8]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(PREFIX.len() + 2 * hash.len());
        text.push_str(PREFIX);
        for byte in hash {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
        }
        Digest(text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = text.strip_prefix(PREFIX).unwrap_or("");
        if hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Digest(text.to_owned()));
        }
        let shown: String = text.chars().take(80).collect();
        Err(corrupt(format!(
            "`{shown}` is not a digest of the form sha256:<64 hex digits>"
        )))
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

/// Passes bytes through and keeps their running digest and count.
pub(crate) struct Hashing<T> {
    inner: T,
    hash: Sha256,
    count: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Hashing {
            inner,
            hash: Sha256::new(),
            count: 0,
        }
    }

    /// The digest and the number of the bytes that passed.
    pub(crate) fn finish(self) -> (Digest, u64) {
        (
            Digest::from_hash(self.hash.finalize().as_slice()),
            self.count,
        )
    }

    /// What was wrapped, and the digest of the bytes that passed.
    pub(crate) fn into_parts(self) -> (T, Digest) {
        (
            self.inner,
            Digest::from_hash(self.hash.finalize().as_slice()),
        )
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.note(&buffer[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.note(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

const PREFIX: &str = "sha256:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest::of(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn only_the_canonical_spelling_parses() {
        for bad in [
            "",
            "sha256:",
            "sha512:00",
            "sha256:E3",
            &format!("sha256:{}", "A".repeat(64)),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_multibyte_digest_is_an_error_and_no_panic() {
        assert!(
            format!("sha256:{}", "é".repeat(32))
                .parse::<Digest>()
                .is_err()
        );
    }
}
