//! Reads what a plugin's `.so` says about itself, without running any of it.

use std::collections::BTreeMap;
use std::path::Path;

use object::LittleEndian;
use object::elf;
use object::read::elf::{Dyn as _, FileHeader as _, SectionHeader as _};

use crate::error::{Error, Result, usage};
use crate::platform::Platform;

/// The facts of a plugin file that publishing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    /// Name in the note.
    pub name: String,
    /// Version in the note.
    pub version: String,
    /// Plugin API in the note, `1.0`.
    pub api: String,
    /// The platform of the machine code.
    pub platform: Platform,
    /// Lowest glibc that has every symbol it uses, `2.34`; none if it uses none.
    pub glibc_min: Option<String>,
}

impl PluginFile {
    /// Reads the ELF header, the note and the symbol versions of some bytes;
    /// `path` is for errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let fail = |what: String| usage(format!("{} {what}", path.display()));
        let elf = |error: object::Error| {
            fail("is not a shared library that can be read".into()).with_source(error)
        };

        let header = elf::FileHeader64::<LittleEndian>::parse(bytes).map_err(|error| {
            elf(error).with_hint("plugins are 64-bit little-endian ELF files for Linux")
        })?;
        let endian = header.endian().map_err(elf)?;
        if header.e_type(endian) != elf::ET_DYN {
            return Err(fail("is an ELF file but not a shared library".into()));
        }
        let platform = match header.e_machine(endian) {
            elf::EM_X86_64 => Platform::LinuxAmd64,
            elf::EM_AARCH64 => Platform::LinuxArm64,
            other => {
                return Err(fail(format!(
                    "is for ELF machine {}; plugins are for x86-64 and arm64",
                    other.0
                )));
            }
        };
        let sections = header.sections(endian, bytes).map_err(elf)?;

        let mut text = None;
        if let Some((_, section)) = sections.section_by_name(endian, NOTE_SECTION)
            && let Some(mut notes) = section.notes(endian, bytes).map_err(elf)?
        {
            while let Some(note) = notes.next().map_err(elf)? {
                if note.name() == NOTE_OWNER && note.n_type(endian).0 == NOTE_TYPE {
                    text = Some(note.desc());
                    break;
                }
            }
        }
        let text = text.ok_or_else(|| {
            fail("has no `.note.assay`: it is not an Assay plugin".into()).with_hint(
                "the `plugin!` macro writes the note; check that `library:` names the plugin's .so",
            )
        })?;
        let pairs = parse_note(text, &fail)?;
        let field = |key: &str| {
            let value = pairs.get(key).filter(|value| !value.is_empty());
            value
                .map(|value| (*value).to_owned())
                .ok_or_else(|| fail(format!("has a note without `{key}`")))
        };

        let mut glibc: Option<(u32, u32)> = None;
        if let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes).map_err(elf)? {
            let strings = sections.strings(endian, bytes, link).map_err(elf)?;
            while let Some((_, mut versions)) = needs.next().map_err(elf)? {
                while let Some(version) = versions.next().map_err(elf)? {
                    let name = version.name(endian, strings).map_err(elf)?;
                    glibc = glibc.max(std::str::from_utf8(name).ok().and_then(glibc_version));
                }
            }
        }

        if let Some((entries, link)) = sections.dynamic(endian, bytes).map_err(elf)? {
            let strings = sections.strings(endian, bytes, link).map_err(elf)?;
            for entry in entries
                .iter()
                .filter(|entry| entry.tag(endian) == elf::DT_NEEDED)
            {
                let library = entry.string(endian, strings).map_err(elf)?;
                if library.starts_with(b"libc.musl") {
                    return Err(fail("is built for musl".into()).with_hint(
                        "plugins are for glibc: build for x86_64- or aarch64-unknown-linux-gnu",
                    ));
                }
            }
        }
        if pair(&field("abi")?).is_none() {
            return Err(fail(format!(
                "has a note with `abi={}`, not MAJOR.MINOR",
                field("abi")?
            )));
        }

        Ok(PluginFile {
            name: field("name")?,
            version: field("version")?,
            api: field("abi")?,
            platform,
            glibc_min: glibc.map(|(major, minor)| format!("{major}.{minor}")),
        })
    }
}

/// `(2, 34)` for `GLIBC_2.34`; nothing for `GLIBC_PRIVATE` and other owners.
pub(crate) fn glibc_version(symbol: &str) -> Option<(u32, u32)> {
    pair(symbol.strip_prefix("GLIBC_")?)
}

/// `(2, 34)` for `2.34` and `2.34.1`.
pub(crate) fn pair(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn parse_note<'a>(
    text: &'a [u8],
    fail: &dyn Fn(String) -> Error,
) -> Result<BTreeMap<&'a str, &'a str>> {
    let text =
        std::str::from_utf8(text).map_err(|_| fail("has a note that is not UTF-8".into()))?;
    text.trim_end_matches('\0')
        .split(';')
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.split_once('=')
                .ok_or_else(|| fail(format!("has a note with `{part}`, not key=value")))
        })
        .collect()
}

const NOTE_SECTION: &[u8] = b".note.assay";
const NOTE_OWNER: &[u8] = b"Assay";
const NOTE_TYPE: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_symbol_versions_compare_as_numbers() {
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some((2, 2)));
        assert!(glibc_version("GLIBC_2.34") > glibc_version("GLIBC_2.4"));
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version("GCC_3.0"), None);
    }

    #[test]
    fn bytes_that_are_no_plugin_are_an_error_whatever_their_length() {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        for length in 0..elf.len() {
            assert!(PluginFile::parse(&elf[..length], Path::new("x.so")).is_err());
        }
    }
}
