//! Reads what an ELF file says of itself, without running any of it: the plugin's note, the
//! libraries and the glibc it needs. 64-bit little-endian ELF (`elf(5)`).
//!
//! `dlopen` of a truncated file is a SIGBUS and of a foreign one a puzzle, so everything is checked
//! here first, and every offset against the file's size.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// What the file says.
#[derive(Debug, Default, Clone)]
pub struct Info {
    /// `key=value` pairs of the note.
    pub note: HashMap<String, String>,
    /// DT_NEEDED.
    pub needed: Vec<String>,
    /// Whether it brings its own library search path.
    pub runpath: bool,
    /// The highest `GLIBC_x.y` that it needs.
    pub glibc: Option<(u32, u32)>,
}

/// The largest segment that is read into memory.
const LIMIT: u64 = 16 << 20;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_NOTE: u32 = 4;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;

#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (62, "x86_64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (183, "aarch64");
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MACHINE: (u16, &str) = (0, "this machine");

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// Reads a file.
///
/// # Errors
/// A fragment that says what is wrong with it: `is truncated`, `is not an ELF file`.
pub fn read(file: &File) -> Result<Info, String> {
    let length = file
        .metadata()
        .map_err(|error| format!("cannot be read: {error}"))?
        .len();
    let elf = Elf { file, length };
    let header = elf
        .bytes(0, 64)
        .map_err(|_| "is not an ELF file".to_owned())?;
    if !header.starts_with(b"\x7fELF") {
        return Err("is not an ELF file".into());
    }
    if header[4] != 2 || header[5] != 1 {
        return Err("is not a 64-bit little-endian ELF file".into());
    }
    if u16_at(&header, 18) != MACHINE.0 {
        return Err(format!("is built for another machine than {}", MACHINE.1));
    }
    let (table, entry, count) = (
        u64_at(&header, 32),
        u16_at(&header, 54),
        u16_at(&header, 56),
    );
    if entry != 56 || count > 256 {
        return Err("has a malformed program header".into());
    }
    let headers = elf.bytes(table, 56 * u64::from(count))?;
    let segments: Vec<Segment> = headers
        .chunks_exact(56)
        .map(|raw| Segment {
            kind: u32_at(raw, 0),
            offset: u64_at(raw, 8),
            address: u64_at(raw, 16),
            size: u64_at(raw, 32),
        })
        .collect();
    // The section headers end the file: a file cut anywhere lacks a part of them, or of a segment.
    let sections = u64_at(&header, 40)
        .saturating_add(u64::from(u16_at(&header, 58)) * u64::from(u16_at(&header, 60)));
    let end = segments
        .iter()
        .map(|s| s.offset.saturating_add(s.size))
        .chain([sections])
        .max();
    if end.unwrap_or(0) > length {
        return Err(format!(
            "is truncated: {length} bytes of {}",
            end.unwrap_or(0)
        ));
    }
    let mut info = Info::default();
    for segment in segments.iter().filter(|segment| segment.kind == PT_NOTE) {
        if let Some(text) = find_note(&elf.bytes(segment.offset, segment.size)?) {
            info.note = parse_note(&text);
        }
    }
    if let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) {
        elf.dynamic(dynamic, &segments, &mut info)?;
    }
    Ok(info)
}

struct Elf<'a> {
    file: &'a File,
    length: u64,
}

impl Elf<'_> {
    fn bytes(&self, offset: u64, size: u64) -> Result<Vec<u8>, String> {
        if offset.saturating_add(size) > self.length {
            return Err(format!(
                "is truncated: {} bytes of {}",
                self.length,
                offset.saturating_add(size)
            ));
        }
        if size > LIMIT {
            return Err("has a malformed segment".into());
        }
        let mut bytes = vec![0; size as usize];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| format!("cannot be read: {error}"))?;
        Ok(bytes)
    }

    fn dynamic(
        &self,
        dynamic: &Segment,
        segments: &[Segment],
        info: &mut Info,
    ) -> Result<(), String> {
        let entries: Vec<(u64, u64)> = self
            .bytes(dynamic.offset, dynamic.size)?
            .chunks_exact(16)
            .map(|raw| (u64_at(raw, 0), u64_at(raw, 8)))
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        let value = |wanted| {
            entries
                .iter()
                .find(|(tag, _)| *tag == wanted)
                .map(|(_, value)| *value)
        };
        let offset_of = |address: u64| {
            segments
                .iter()
                .find(|s| {
                    s.kind == PT_LOAD
                        && (s.address..s.address.saturating_add(s.size)).contains(&address)
                })
                .map(|s| s.offset + (address - s.address))
                .ok_or_else(|| "has a malformed dynamic section".to_owned())
        };
        let strings = match (value(DT_STRTAB), value(DT_STRSZ)) {
            (Some(table), Some(size)) => self.bytes(offset_of(table)?, size)?,
            _ => return Err("has no dynamic string table".into()),
        };
        let text = |at: u64| {
            let rest = strings.get(at as usize..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|&byte| byte == 0)
                .unwrap_or(rest.len());
            String::from_utf8_lossy(&rest[..end]).into_owned()
        };
        info.needed = entries
            .iter()
            .filter(|(tag, _)| *tag == DT_NEEDED)
            .map(|(_, at)| text(*at))
            .collect();
        info.runpath = value(DT_RPATH).is_some() || value(DT_RUNPATH).is_some();
        let (Some(address), Some(count)) = (value(DT_VERNEED), value(DT_VERNEEDNUM)) else {
            return Ok(());
        };
        let mut at = offset_of(address)?;
        for _ in 0..count.min(64) {
            let need = self.bytes(at, 16)?;
            let mut version_at = at + u64::from(u32_at(&need, 8));
            for _ in 0..u16_at(&need, 2) {
                let version = self.bytes(version_at, 16)?;
                let name = text(u32_at(&version, 8).into());
                if let Some(version) = name.strip_prefix("GLIBC_").and_then(parse_version) {
                    info.glibc = info.glibc.max(Some(version));
                }
                match u32_at(&version, 12) {
                    0 => break,
                    next => version_at += u64::from(next),
                }
            }
            match u32_at(&need, 12) {
                0 => break,
                next => at += u64::from(next),
            }
        }
        Ok(())
    }
}

/// `2.34`, as `GLIBC_2.34` has it.
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

/// The text of the note of ours among the notes of a segment.
fn find_note(mut notes: &[u8]) -> Option<String> {
    while notes.len() >= 12 {
        let (name, text, kind) = (
            u32_at(notes, 0) as usize,
            u32_at(notes, 4) as usize,
            u32_at(notes, 8),
        );
        let text_at = 12 + name.next_multiple_of(4);
        let end = text_at.checked_add(text)?;
        if notes.get(12..12 + name) == Some(assay_plugin::note::OWNER)
            && kind == assay_plugin::note::TYPE
        {
            return notes
                .get(text_at..end)
                .map(|text| String::from_utf8_lossy(text).into_owned());
        }
        notes = notes.get(end.next_multiple_of(4)..)?;
    }
    None
}

fn parse_note(text: &str) -> HashMap<String, String> {
    text.split(';')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap_or_default())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap_or_default())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}
