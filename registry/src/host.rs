//! What this system offers to packages.

use std::path::PathBuf;

use object::LittleEndian;
use object::elf;
use object::read::elf::FileHeader as _;
use semver::Version;

use crate::plugin_file::glibc_version;

/// The plugin API of the runtime that this program is released with. The
/// packages share no code with the runtime, so the number stands here too.
pub const API: (u32, u32) = (1, 0);

/// The version of the runtime that this program is released with.
pub fn runtime() -> Version {
    Version::parse(env!("CARGO_PKG_VERSION")).expect("Cargo checks the version")
}

/// The version of glibc that this process runs on; `None` with another C library.
pub fn glibc() -> Option<(u32, u32)> {
    let maps = fs_err::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = line.split_whitespace().nth(5)?;
        path.ends_with("/libc.so.6").then(|| PathBuf::from(path))
    })?;
    let bytes = fs_err::read(path).ok()?;
    let header = elf::FileHeader64::<LittleEndian>::parse(&*bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, &*bytes).ok()?;
    let (mut definitions, link) = sections.gnu_verdef(endian, &*bytes).ok()??;
    let strings = sections.strings(endian, &*bytes, link).ok()?;
    let mut highest = None;
    while let Some((_, mut names)) = definitions.next().ok()? {
        while let Some(name) = names.next().ok()? {
            let name = name.name(endian, strings).ok()?;
            highest = highest.max(std::str::from_utf8(name).ok().and_then(glibc_version));
        }
    }
    highest
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    #[test]
    fn glibc_is_found_and_is_a_version_2() {
        let (major, minor) = super::glibc().expect("this test runs on glibc");
        assert!(major == 2 && minor >= 17, "{major}.{minor}");
    }
}
