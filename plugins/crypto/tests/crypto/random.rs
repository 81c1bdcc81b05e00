use std::collections::HashSet;

use super::*;

#[test]
fn random() {
    let token = text("random", ());
    assert_eq!(token.len(), 32);
    assert!(
        token.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{token}"
    );
    assert_ne!(token, text("random", ()));
    assert_eq!(text("random", (1,)).len(), 1);
    let long = text("random", (100_000,));
    assert_eq!(long.len(), 100_000);
    // Each of 62 comes 1613 times on average, with a deviation of 40: 8 of them is no accident.
    for letter in ('A'..='Z').chain('a'..='z').chain('0'..='9') {
        let count = long.matches(letter).count();
        assert!((1293..=1933).contains(&count), "{letter}: {count}");
    }
}

/// Chi-squared over 620 000 letters: 61 on average, and above 250 once in 10^22 runs. Taking a byte
/// modulo 62, which favours eight letters by a quarter, gives about 4000.
#[test]
fn random_is_unbiased() {
    let text = text("random", (620_000,));
    let mut counts = [0_u32; 128];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let seen = counts.iter().filter(|count| **count > 0);
    let chi: f64 = seen
        .map(|count| (f64::from(*count) - 10_000.0).powi(2) / 10_000.0)
        .sum();
    assert!(chi < 250.0, "{chi}");
}

#[test]
fn random_bytes() {
    let bytes: Vec<u8> = host().call("random_bytes", (256_000,)).unwrap();
    assert_eq!(bytes.len(), 256_000);
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    // 255 on average; above 600 once in 10^27 runs.
    let chi: f64 = counts
        .iter()
        .map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0)
        .sum();
    assert!(chi < 600.0, "{chi}");
}

#[test]
fn lengths_are_checked() {
    for length in [0, -1, i64::MIN, 16 * 1024 * 1024 + 1, i64::MAX] {
        for function in ["random", "random_bytes"] {
            assert_eq!(
                fails(function, (length,)).message(),
                format!("argument 1: expected a length from 1 to 16777216, got {length}")
            );
        }
    }
    for length in [f64::NAN, f64::INFINITY, 1.5] {
        assert_eq!(
            fails("random", (length,)).message(),
            format!("argument 1: expected an integer, got number {length}")
        );
    }
    assert_eq!(
        fails("random_bytes", ()).message(),
        "argument 1: expected an integer, got nothing"
    );
}

#[test]
fn uuid() {
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let uuid = text("uuid", ());
        let parts: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
        assert_eq!(&uuid[14..15], "4", "{uuid}");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert!(
            uuid.bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert!(seen.insert(uuid));
    }
}
