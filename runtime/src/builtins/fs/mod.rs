//! `fs`: files and directories. Paths and contents are bytes.

#![expect(clippy::disallowed_methods, reason = "scripts get our own errors")]

mod error;
mod glob;
mod lines;
mod replace;

use std::ffi::OsStr;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use assay_plugin::{Buf, Cx, De, Error, Ref, Result, Value, family};
use serde::Deserialize;

use error::Tried;
use lines::Lines;

family! {
    /// Files and directories. Relative paths start at the working directory.
    name: "fs",
    functions: {
        /// A file's bytes.
        fn read = "fun(path: string, opts?: fs.ReadOptions): string",
        /// Replaces a file at once: readers see the old or the new content, also after a crash.
        /// Makes missing parents; keeps the mode of a file that was there.
        fn write = "fun(path: string, data: string, opts?: fs.WriteOptions)",
        /// Adds to a file's end. Makes the file and missing parents.
        fn append = "fun(path: string, data: string)",
        /// Whether something is at the path.
        fn exists = "fun(path: string): boolean",
        /// What is at the path, or nil.
        fn stat = "fun(path: string, opts?: fs.StatOptions): fs.Stat?",
        /// A directory's entries, sorted by name.
        fn list = "fun(path: string): fs.Entry[]",
        /// The paths that match a pattern of `*`, `?`, `[a-z]` and `**`, sorted.
        fn glob = "fun(pattern: string): string[]",
        /// Makes a directory and missing parents. One that exists is fine.
        fn mkdir = "fun(path: string)",
        /// Removes a file, a link or an empty directory; with `recursive` a directory and all in it.
        fn remove = "fun(path: string, opts?: fs.RemoveOptions)",
        /// Copies a file with its mode, as atomically as `write`. Returns the bytes copied.
        fn copy = "fun(from: string, to: string): integer",
        /// Moves a file or a directory within a file system, over a file that is there.
        fn rename = "fun(from: string, to: string)",
        /// The lines of a file, one by one, without their line feeds.
        fn lines = "fun(path: string): fs.Lines",
        /// A new, private directory. It stays until the script removes it.
        fn tempdir = "fun(): string",
    },
    classes: [Lines],
}

/// Longer content does not belong into one string, and devices have no end.
const MAX_SIZE: u64 = 256 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReadOptions {
    max_size: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { max_size: MAX_SIZE }
    }
}

fn read(cx: Cx, path: &[u8], opts: Option<De<ReadOptions>>) -> Result<Buf> {
    let path = allowed(&cx, "fs.read", path)?;
    let max_size = opts.map_or(MAX_SIZE, |De(opts)| opts.max_size);
    let tried = Tried::new(&cx, "read", path);
    let file = tried.ok(File::open(path))?;
    let size = tried.ok(file.metadata())?.len();
    // Sizes lie (proc, devices, files that grow), so the limit counts what arrives. One byte more
    // tells whether there is more, and one the final zero of a `Buf`.
    let mut bytes = Vec::with_capacity(size.min(max_size) as usize + 2);
    tried.ok(file
        .take(max_size.saturating_add(1))
        .read_to_end(&mut bytes))?;
    if bytes.len() as u64 > max_size {
        return Err(tried
            .because("size", format!("it has more than {max_size} bytes"))
            .hint("pass {max_size = BYTES}, or go through fs.lines"));
    }
    Ok(Buf::new(bytes))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WriteOptions {
    /// As text, since Lua has no octal numbers: "600".
    mode: Option<String>,
}

fn write(cx: Cx, path: &[u8], data: &[u8], opts: Option<De<WriteOptions>>) -> Result<()> {
    let path = allowed(&cx, "fs.write", path)?;
    let mode = match opts.and_then(|De(opts)| opts.mode) {
        Some(text) => Some(parse_mode(&text)?),
        None => None,
    };
    let tried = Tried::new(&cx, "write", path);
    tried.ok(make_parents(path))?;
    tried.ok(replace::file(path, mode, |file| file.write_all(data)))
}

fn parse_mode(text: &str) -> Result<u32> {
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if is_octal => Ok(mode),
        _ => Err(Error::argument(format!(
            "option `mode`: expected octal digits such as \"600\", got {text:?}"
        ))),
    }
}

fn append(cx: Cx, path: &[u8], data: &[u8]) -> Result<()> {
    let path = allowed(&cx, "fs.write", path)?;
    let tried = Tried::new(&cx, "append to", path);
    tried.ok(make_parents(path))?;
    let file = OpenOptions::new().append(true).create(true).open(path);
    tried.ok(file.and_then(|mut file| file.write_all(data)))
}

fn exists(cx: Cx, path: &[u8]) -> Result<bool> {
    let path = allowed(&cx, "fs.read", path)?;
    Ok(Tried::new(&cx, "look at", path)
        .unless_absent(fs::metadata(path))?
        .is_some())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StatOptions {
    follow: bool,
}

impl Default for StatOptions {
    fn default() -> Self {
        Self { follow: true }
    }
}

fn stat(cx: Cx, path: &[u8], opts: Option<De<StatOptions>>) -> Result<Option<Value>> {
    let path = allowed(&cx, "fs.read", path)?;
    let De(opts) = opts.unwrap_or(De(StatOptions::default()));
    let found = if opts.follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let found = Tried::new(&cx, "look at", path).unless_absent(found)?;
    Ok(found.map(|metadata| describe(&metadata)))
}

fn describe(metadata: &Metadata) -> Value {
    let modified = metadata
        .modified()
        .ok()
        .map(|time| match time.duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        });
    table([
        ("type", type_name(metadata.file_type()).into()),
        (
            "size",
            Value::Int(metadata.len().try_into().unwrap_or(i64::MAX)),
        ),
        (
            "mode",
            format!("{:03o}", metadata.mode() & 0o7777).as_str().into(),
        ),
        ("modified", modified.map_or(Value::Nil, Value::Float)),
        ("uid", Value::Int(metadata.uid().into())),
        ("gid", Value::Int(metadata.gid().into())),
    ])
}

fn list(cx: Cx, path: &[u8]) -> Result<Value> {
    let path = allowed(&cx, "fs.read", path)?;
    let entries = Tried::new(&cx, "list", path).ok(entries(path))?;
    Ok(Value::List(
        entries
            .into_iter()
            .map(|(name, kind)| {
                table([
                    ("name", Value::Bytes(name)),
                    ("type", type_name(kind).into()),
                ])
            })
            .collect(),
    ))
}

fn glob(cx: Cx, pattern: &[u8]) -> Result<Vec<Vec<u8>>> {
    check(pattern)?;
    glob::expand(&cx, pattern)
}

fn mkdir(cx: Cx, path: &[u8]) -> Result<()> {
    let path = allowed(&cx, "fs.write", path)?;
    Tried::new(&cx, "make the directory", path).ok(fs::create_dir_all(path))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RemoveOptions {
    recursive: bool,
}

fn remove(cx: Cx, path: &[u8], opts: Option<De<RemoveOptions>>) -> Result<()> {
    // With a slash behind it, a link to a folder would have the folder emptied, and stay.
    let end = path.iter().rposition(|&byte| byte != b'/').unwrap_or(0);
    let path = allowed(&cx, "fs.write", path.get(..=end).unwrap_or(path))?;
    let recursive = opts.is_some_and(|De(opts)| opts.recursive);
    let tried = Tried::new(&cx, "remove", path);
    if !tried.ok(fs::symlink_metadata(path))?.is_dir() {
        return tried.ok(fs::remove_file(path));
    }
    if !recursive {
        return tried.ok(fs::remove_dir(path));
    }
    if tried.ok(fs::canonicalize(path))? == Path::new("/") {
        return Err(tried.because("argument", "that is the root of the file system"));
    }
    let mut parts = path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/');
    if let Some(b"." | b"..") = parts.next() {
        // The system refuses that, too, but only when all that was in it is gone.
        return Err(tried.because("argument", "a path that ends in . or .. has no name"));
    }
    tried.ok(fs::remove_dir_all(path))
}

fn copy(cx: Cx, from: &[u8], to: &[u8]) -> Result<u64> {
    let from = allowed(&cx, "fs.read", from)?;
    let to = allowed(&cx, "fs.write", to)?;
    let reading = Tried::new(&cx, "read", from);
    let mut source = reading.ok(File::open(from))?;
    let metadata = reading.ok(source.metadata())?;
    if metadata.is_dir() {
        return Err(reading
            .because("io", "it is a directory")
            .hint("copy its files one by one"));
    }
    let writing = Tried::new(&cx, "write", to);
    writing.ok(make_parents(to))?;
    let (mode, mut copied) = (metadata.mode() & 0o777, 0);
    writing.ok(replace::file(to, Some(mode), |file| {
        copied = io::copy(&mut source, file)?;
        Ok(())
    }))?;
    Ok(copied)
}

fn rename(cx: Cx, from: &[u8], to: &[u8]) -> Result<()> {
    // A rename takes the source away, and makes it readable where the target is.
    let source = allowed(&cx, "fs.write", from)?;
    allowed(&cx, "fs.read", from)?;
    let target = allowed(&cx, "fs.write", to)?;
    let writing = Tried::new(&cx, "write", target);
    writing.ok(make_parents(target))?;
    let renamed = fs::rename(source, target);
    Tried::new(&cx, "rename", source).to(target).ok(renamed)
}

fn lines(cx: Cx, path: &[u8]) -> Result<Ref<Lines>> {
    let path = allowed(&cx, "fs.read", path)?;
    let tried = Tried::new(&cx, "read", path);
    let file = tried.ok(File::open(path))?;
    if tried.ok(file.metadata())?.is_dir() {
        return Err(tried.because("io", "it is a directory").hint("use fs.list"));
    }
    Ok(Ref::new(Lines::new(file, path)))
}

fn tempdir(cx: Cx) -> Result<Vec<u8>> {
    let parent = std::env::temp_dir();
    cx.require("fs.write", &parent.to_string_lossy())?;
    loop {
        // Every `RandomState` has other keys, which is all the randomness that a name needs: the
        // directory must be new and is private.
        let path = parent.join(format!("assay-{:016x}", RandomState::new().hash_one(())));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => {
                Tried::new(&cx, "make a directory in", &parent).ok(result)?;
                return Ok(path.as_os_str().as_bytes().to_vec());
            }
        }
    }
}

/// The path, when it can be one and the script may use it.
fn allowed<'a>(cx: &Cx, permission: &str, path: &'a [u8]) -> Result<&'a Path> {
    let path = check(path)?;
    cx.require(permission, &path.to_string_lossy())?;
    Ok(path)
}

fn check(path: &[u8]) -> Result<&Path> {
    if path.is_empty() {
        return Err(Error::argument("the path is empty"));
    }
    if path.contains(&0) {
        return Err(Error::argument(format!(
            "the path \"{}\" has a zero byte",
            path[..path.len().min(200)].escape_ascii()
        )));
    }
    Ok(Path::new(OsStr::from_bytes(path)))
}

fn make_parents(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Asking first keeps files in read-only directories writable.
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            fs::create_dir_all(parent).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
                _ => error,
            })
        }
        _ => Ok(()),
    }
}

/// Names and types in a directory, sorted by name.
fn entries(path: &Path) -> io::Result<Vec<(Vec<u8>, FileType)>> {
    let mut entries = fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().as_bytes().to_vec(), entry.file_type()?))
        })
        .collect::<io::Result<Vec<_>>>()?;
    crate::order::by_name(&mut entries, |entry| &entry.0);
    Ok(entries)
}

fn type_name(kind: FileType) -> &'static str {
    if kind.is_file() {
        "file"
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "symlink"
    } else {
        "other"
    }
}

fn table<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.map(|(key, value)| (key.into(), value)).into())
}

#[cfg(test)]
mod tests;
