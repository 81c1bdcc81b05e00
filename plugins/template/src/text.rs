//! Lua strings are bytes, the engine's are Unicode. A byte that is no part of UTF-8 travels as a
//! private character of its own (U+10FF80 to U+10FFFF, at the very end of Unicode) and is that byte
//! again in the output. These characters themselves travel byte by byte, so nothing is mistaken.

use std::borrow::Cow;
use std::io;

/// The private character of byte 0x80 is `BASE + 0x80`.
const BASE: u32 = 0x10_FF00;
/// What all of them begin with in UTF-8; the third byte is one of `THIRD`.
const LEAD: [u8; 2] = [0xF4, 0x8F];
const THIRD: [u8; 2] = [0xBE, 0xBF];

/// Any bytes as text for the engine.
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !has_private(text) => Cow::Borrowed(text),
        _ => Cow::Owned(escape(bytes)),
    }
}

/// The bytes that a text of the engine stands for.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !has_private(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Whether a text stands for bytes that are not UTF-8.
pub fn has_private(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Few texts have any character of four bytes.
    bytes.contains(&LEAD[0])
        && bytes
            .windows(3)
            .any(|window| window[..2] == LEAD && THIRD.contains(&window[2]))
}

/// Takes rendered text as bytes, up to a limit.
pub struct Sink {
    pub bytes: Vec<u8>,
    pub limit: usize,
}

impl io::Write for Sink {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // The engine writes whole texts.
        let whole = std::str::from_utf8(text).map_err(io::Error::other)?;
        let bytes = to_bytes(whole);
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 32);
    let private = |text: &mut String, bytes: &[u8]| {
        text.extend(
            bytes
                .iter()
                .filter_map(|byte| char::from_u32(BASE + u32::from(*byte))),
        );
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match byte(c) {
                Some(_) => private(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.push(c),
            }
        }
        private(&mut text, chunk.invalid());
    }
    text
}

/// The byte that a private character stands for.
fn byte(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(BASE)?)
        .ok()
        .filter(|byte| *byte >= 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_string_comes_back() {
        let strings: [&[u8]; 7] = [
            b"",
            b"plain",
            "gr\u{fc}n \u{1f600}".as_bytes(),
            b"\xff\x00\x80abc\xc3",
            // Cut in the middle of a character.
            b"\xf0\x9f\x98",
            // The private characters themselves, and their neighbours.
            "\u{10ff7f}\u{10ff80}\u{10ffff}\u{10feff}".as_bytes(),
            &[0xf4, 0x8f, 0xbe, 0x80, 0xf4, 0x8f, 0xbe],
        ];
        for bytes in strings {
            let text = from_bytes(bytes);
            assert_eq!(*to_bytes(&text), *bytes, "{bytes:?} as {text:?}");
        }
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(*to_bytes(&from_bytes(&all)), *all);
    }

    #[test]
    fn a_byte_is_one_character() {
        assert_eq!(from_bytes(b"a\xff\xfe").chars().count(), 3);
    }
}
