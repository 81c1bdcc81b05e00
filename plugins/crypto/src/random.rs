//! Random values, all from the system's source.

use assay_plugin::{Error, Result};
use ring::rand::{SecureRandom, SystemRandom};

use crate::digest::hex;

/// Enough for any key or password; a mistaken count must not take the memory.
const MOST: i64 = 16 * 1024 * 1024;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub fn random(length: Option<i64>) -> Result<String> {
    let length = checked(length.unwrap_or(32))?;
    let mut text = String::with_capacity(length);
    let mut pool = [0; 256];
    while text.len() < length {
        fill(&mut pool)?;
        // The 8 values above 4 * 62 would favour the first letters: they are thrown away.
        let letters = pool.iter().filter(|byte| **byte < 248);
        let wanted = length - text.len();
        text.extend(
            letters
                .map(|byte| char::from(ALPHABET[usize::from(byte % 62)]))
                .take(wanted),
        );
    }
    Ok(text)
}

pub fn random_bytes(length: i64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; checked(length)?];
    fill(&mut bytes)?;
    Ok(bytes)
}

pub fn uuid() -> Result<String> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40; // version 4
    bytes[8] = bytes[8] & 0x3f | 0x80; // the variant of RFC 9562
    let hex = hex(&bytes);
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    Ok(format!("{a}-{b}-{c}-{d}-{e}"))
}

fn checked(length: i64) -> Result<usize> {
    if !(1..=MOST).contains(&length) {
        return Err(Error::argument(format!(
            "argument 1: expected a length from 1 to {MOST}, got {length}"
        )));
    }
    Ok(length as usize)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| Error::new("random", "the system gave no random bytes"))
}
