//! Text of JSON, eight bytes at a time. The core is built for size, where nothing is inlined that
//! does not ask for it.

/// Eight equal bytes.
pub(super) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Eight bytes, the first one lowest.
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(super) unsafe fn word(at: *const u8) -> u64 {
    // SAFETY: the caller's promise.
    u64::from_le(unsafe { at.cast::<u64>().read_unaligned() })
}

/// Fewer than eight bytes, with zeros behind them.
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(super) unsafe fn short_word(at: *const u8, len: usize) -> u64 {
    // SAFETY: the caller's promise; two reads that overlap.
    unsafe {
        match len {
            0 => 0,
            1 => u64::from(*at),
            2..4 => {
                let two =
                    |at: *const u8| u64::from(u16::from_le(at.cast::<u16>().read_unaligned()));
                two(at) | two(at.add(len - 2)) << (8 * (len - 2))
            }
            _ => {
                let four =
                    |at: *const u8| u64::from(u32::from_le(at.cast::<u32>().read_unaligned()));
                four(at) | four(at.add(len - 4)) << (8 * (len - 4))
            }
        }
    }
}

/// The highest bit of each byte that a JSON string cannot hold as it is: quotes, backslashes,
/// control characters. Right up to the first such byte.
#[inline(always)]
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(each(1)) & !word;
    let control = word.wrapping_sub(each(0x20)) & !word;
    (control | zero(word ^ each(b'"')) | zero(word ^ each(b'\\'))) & each(0x80)
}

/// Skips bytes that stand for themselves in a JSON string. `high` gets the highest bits of what was
/// skipped: bytes that are not ASCII have them.
///
/// # Safety
/// From `at` to `end` all is readable.
#[inline(always)]
pub(super) unsafe fn skip_plain(mut at: *const u8, end: *const u8, high: &mut u64) -> *const u8 {
    // SAFETY: within the caller's range.
    unsafe {
        while end as usize - at as usize >= 8 {
            let word = word(at);
            let found = special(word);
            if found != 0 {
                // The bits below the one that was found.
                *high |= word & (found & found.wrapping_neg()).wrapping_sub(1);
                return at.add(found.trailing_zeros() as usize / 8);
            }
            *high |= word;
            at = at.add(8);
        }
        while at < end && !matches!(*at, 0..0x20 | b'"' | b'\\') {
            *high |= u64::from(*at);
            at = at.add(1);
        }
    }
    at
}

pub(super) fn write_int(out: &mut Vec<u8>, int: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = int.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a JSON string; false when the bytes are not UTF-8.
pub(crate) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let std::ops::Range { start: mut at, end } = bytes.as_ptr_range();
    let mut high = 0;
    // SAFETY: reads within the bytes. Before each write there is room for what is left of them, and a
    // word and a quote more.
    unsafe {
        out.reserve(bytes.len() + 10);
        let mut to = out.as_mut_ptr().add(out.len());
        *to = b'"';
        to = to.add(1);
        loop {
            let left = end as usize - at as usize;
            // The highest bits of the bytes that are there.
            let (word, there, step) = match left {
                0 => break,
                8.. => (word(at), each(0x80), 8),
                _ => (short_word(at, left), each(0x80) >> (64 - 8 * left), left),
            };
            to.cast::<u64>().write_unaligned(word.to_le());
            let found = special(word) & there;
            if found == 0 {
                high |= word;
                (at, to) = (at.add(step), to.add(step));
                continue;
            }
            let plain = found.trailing_zeros() as usize / 8;
            high |= word & (found & found.wrapping_neg()).wrapping_sub(1);
            (at, to) = (at.add(plain), to.add(plain));
            out.set_len(to as usize - out.as_ptr() as usize);
            escape(out, *at);
            at = at.add(1);
            out.reserve(end as usize - at as usize + 9);
            to = out.as_mut_ptr().add(out.len());
        }
        *to = b'"';
        let len = to.add(1) as usize - out.as_ptr() as usize;
        out.set_len(len);
    }
    high & each(0x80) == 0 || std::str::from_utf8(bytes).is_ok()
}

#[cold]
fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        0..0x20 => {
            out.extend_from_slice(b"\\u00");
            out.push(b'0' + (byte >> 4));
            out.push(b"0123456789abcdef"[(byte & 15) as usize]);
            return;
        }
        itself => itself,
    };
    out.extend_from_slice(&[b'\\', short]);
}
