//! `fs.glob`: paths by pattern.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assay_plugin::{Cx, Error, Result};

use super::entries;
use super::error::Tried;

/// The paths that match, sorted. Hidden names match only a pattern that begins with a dot, `**` is
/// any number of directories and does not go through links, and what may not be read is passed over.
pub(super) fn expand(cx: &Cx, pattern: &[u8]) -> Result<Vec<Vec<u8>>> {
    let parts: Vec<&[u8]> = pattern
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in &parts {
        if part.windows(2).any(|pair| pair == b"**") && part.len() > 2 {
            return Err(Error::argument(format!(
                "`**` stands for whole directories: `{}` mixes it with a name",
                part.escape_ascii()
            )));
        }
    }
    let start: &[u8] = if pattern.starts_with(b"/") { b"/" } else { b"" };
    let mut found = Vec::new();
    // Where the walk is, and which part of the pattern comes next. A stack of our own: directories
    // may be nested deeper than the native one.
    let mut open = vec![(start.to_vec(), 0)];
    while let Some((path, at)) = open.pop() {
        let Some(part) = parts.get(at) else {
            found.push(path);
            continue;
        };
        if !is_pattern(part) {
            let path = join(&path, part);
            // A part in the middle is looked at when what is in it is.
            if at + 1 < parts.len() || exists(cx, &path)? {
                open.push((path, at + 1));
            }
            continue;
        }
        let deep = *part == b"**";
        if deep {
            open.push((path.clone(), at + 1));
        }
        for (name, is_directory, is_link) in children(cx, &path)? {
            let path = join(&path, &name);
            let last = at + 1 == parts.len();
            if deep {
                if name.starts_with(b".") {
                    continue;
                }
                if is_directory && !is_link {
                    open.push((path, at));
                } else if last {
                    open.push((path, at + 1));
                }
            } else if matches(part, &name) && (last || is_directory) {
                open.push((path, at + 1));
            }
        }
    }
    found.retain(|path| !path.is_empty());
    crate::order::by_name(&mut found, |path| path);
    found.dedup();
    Ok(found)
}

fn is_pattern(part: &[u8]) -> bool {
    part.iter().any(|byte| b"*?[".contains(byte))
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn exists(cx: &Cx, path: &[u8]) -> Result<bool> {
    let path = Path::new(OsStr::from_bytes(path));
    cx.require("fs.read", &path.to_string_lossy())?;
    Ok(fs::symlink_metadata(path).is_ok())
}

/// Name, whether it is (or links to) a directory, whether it is a link.
fn children(cx: &Cx, directory: &[u8]) -> Result<Vec<(Vec<u8>, bool, bool)>> {
    let directory = match directory {
        b"" => Path::new("."),
        path => Path::new(OsStr::from_bytes(path)),
    };
    // For every directory: links and `..` in the pattern lead out of where the walk began.
    cx.require("fs.read", &directory.to_string_lossy())?;
    let entries = match entries(directory) {
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
                    Ok(Vec::new())
                }
                _ => Tried::new(cx, "list", directory).ok(Err(error)),
            };
        }
        Ok(entries) => entries,
    };
    let child = |(name, kind): (Vec<u8>, fs::FileType)| {
        let is_directory =
            kind.is_dir() || kind.is_symlink() && directory.join(OsStr::from_bytes(&name)).is_dir();
        (name, is_directory, kind.is_symlink())
    };
    Ok(entries.into_iter().map(child).collect())
}

/// Whether a name matches a part of a pattern. Linear in their product: on a mismatch only the last
/// `*` takes one byte more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        if n == name.len() && p == pattern.len() {
            return true;
        }
        match single(&pattern[p..], &name[n..]) {
            Some((taken_pattern, taken_name)) => {
                p += taken_pattern;
                n += taken_name;
            }
            None => match star {
                Some((after, from)) if from < name.len() => {
                    (p, n) = (after, from + 1);
                    star = Some((after, from + 1));
                }
                _ => return false,
            },
        }
    }
}

/// Matches one element of a pattern; answers the lengths of both.
fn single(pattern: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let first = *name.first()?;
    match *pattern.first()? {
        b'?' => Some((1, character(name))),
        b'[' => match set(pattern, first) {
            Some((length, true)) => Some((length, 1)),
            Some((_, false)) => None,
            // Without an end it is a plain bracket.
            None => (first == b'[').then_some((1, 1)),
        },
        byte => (byte == first).then_some((1, 1)),
    }
}

/// The length of the first character, or one byte of what is no UTF-8.
fn character(name: &[u8]) -> usize {
    let valid = name.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.chars().next().map_or(1, char::len_utf8)
}

/// `[abc]`, `[a-z]`, `[!a]`: its length, and whether the byte is in it.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = 1 + usize::from(negated);
    // A `]` at the start is one of the set.
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|b| *b == b']')?;
    let (mut rest, mut within) = (&pattern[start..end], false);
    while let [low, after @ ..] = rest {
        rest = match after {
            [b'-', high, after @ ..] => {
                within |= (*low..=*high).contains(&byte);
                after
            }
            _ => {
                within |= *low == byte;
                after
            }
        };
    }
    Some((end + 1, within != negated))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names() {
        for (pattern, name) in [
            ("*", "a"),
            ("a*c", "abbc"),
            ("a*", "a"),
            ("*.lua", "init.lua"),
            ("?.txt", "é.txt"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]a]", "]"),
            ("[a-]", "-"),
            ("[", "["),
            (".*", ".git"),
            ("*a*b*", "xaxbx"),
        ] {
            assert!(
                matches(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [
            ("*", ".hidden"),
            ("?", "ab"),
            ("a*c", "abcd"),
            ("[a-c]", "d"),
            ("[!a]", "a"),
            ("", "a"),
            ("a", ""),
        ] {
            assert!(
                !matches(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        // Exponential where every star is tried anew.
        assert!(!matches("*a".repeat(2_000).as_bytes(), &b"a".repeat(1_999)));
    }
}
