//! The ELF note of a plugin: what the host reads before it runs anything of the file.
//!
//! Section `.note.assay`, owner `Assay`, type 1; the descriptor is text, `key=value` pairs ended by
//! semicolons. `readelf -n` shows it.

/// The owner in the note's header, with its zero.
pub const OWNER: &[u8; 6] = b"Assay\0";
/// The type in the note's header.
pub const TYPE: u32 = 1;

/// An ELF note with room for `N` bytes of text.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    namesz: u32,
    descsz: u32,
    kind: u32,
    name: [u8; 8],
    text: [u8; N],
}

impl<const N: usize> Note<N> {
    /// Joins the parts; `N` is [`len`] of the same parts.
    pub const fn new(parts: &[&str]) -> Self {
        let mut text = [0; N];
        let mut at = 0;
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            let mut i = 0;
            while i < bytes.len() {
                text[at] = bytes[i];
                at += 1;
                i += 1;
            }
            part += 1;
        }
        Self {
            namesz: 6,
            descsz: at as u32,
            kind: TYPE,
            name: *b"Assay\0\0\0",
            text,
        }
    }
}

/// The length of the parts together, rounded up to the note's alignment.
pub const fn len(parts: &[&str]) -> usize {
    let mut sum = 0;
    let mut part = 0;
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum.next_multiple_of(4)
}

/// A hash as 16 hexadecimal digits.
pub const fn hex(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let mut i = 0;
    while i < 16 {
        digits[i] = b"0123456789abcdef"[(value >> (60 - 4 * i)) as usize & 15];
        i += 1;
    }
    digits
}

/// [`hex`] of this version's layouts, as text.
pub const LAYOUT: &str = {
    const DIGITS: [u8; 16] = hex(crate::abi::LAYOUT);
    match std::str::from_utf8(&DIGITS) {
        Ok(text) => text,
        Err(_) => "",
    }
};
