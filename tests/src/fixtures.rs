//! Plugins for tests: `conformance.c`, the Rust ones, and the broken ones of `broken.c`, each with
//! what the runtime must say of it. Listed in `tests/fixtures/plugins/README.md`, which a test keeps.
//!
//! Each plugin gets a library root of its own, to be named in `ASSAY_LIB_PATH`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

/// A plugin that the runtime must refuse.
pub struct Broken {
    /// The family, and what is wrong with it.
    pub name: &'static str,
    /// Switches of `broken.c`.
    defines: &'static [&'static str],
    /// Whether it must be refused before any of its code runs.
    before_code: bool,
    /// What is done to the file afterwards.
    change: Change,
    /// What follows `plugin <name> 1.0.0 (<path>): `. Placeholders: `{size}` and `{full}` bytes,
    /// `{path}`, `{glibc}`, `{machine}`, `{other}` plugin.
    message: &'static str,
    /// The hint.
    hint: &'static str,
}

#[derive(Clone, Copy)]
enum Change {
    None,
    /// Keeps so many percent; a good older version lies beside it and must not be taken.
    Cut(usize),
    /// Replaces the contents.
    Contents(&'static [u8]),
    /// Overwrites bytes at an offset.
    Patch(usize, &'static [u8]),
    Directory,
    Mode(u32),
    /// More arguments for the compiler.
    Link(&'static str),
    OtherLibrary,
    NewGlibc,
    /// Beside another plugin with the same `links` key.
    LinkedTwice,
}

/// A built [`Broken`].
pub struct Built {
    /// For `ASSAY_LIB_PATH`.
    pub root: PathBuf,
    /// The file that is refused.
    pub path: PathBuf,
    /// A script that runs into it.
    pub script: String,
    /// The whole line.
    pub message: String,
    /// The hint.
    pub hint: String,
}

const RELEASED_KIT: &str = "rebuild it with a released version of the kit";

/// Every case.
pub const BROKEN: &[Broken] = &[
    refused(
        "wrong_major",
        &["NOTE_ABI=\"2.0\""],
        "speaks plugin API 2, this assay speaks 1",
    )
    .hint("use a newer assay, or an older wrong_major: assay install plugin/wrong_major@<version>"),
    refused(
        "old_major",
        &["NOTE_ABI=\"0.9\""],
        "speaks plugin API 0, this assay speaks 1",
    )
    .hint("update the plugin: assay install plugin/old_major"),
    refused(
        "newer_minor",
        &["NOTE_ABI=\"1.99\""],
        "needs plugin API 1.99, this assay has 1.0",
    )
    .hint("use a newer assay, or an older newer_minor"),
    refused(
        "no_abi",
        &["NOTE_ABI=\"one\""],
        "names no plugin API in its note (`abi=one`)",
    )
    .hint("assay install plugin/no_abi"),
    refused(
        "unknown_service",
        &["NOTE_NEEDS=\"assay.reactor/2,\""],
        "needs service assay.reactor/2, this assay has assay.reactor/1",
    )
    .hint("use a newer assay, or an older unknown_service"),
    refused(
        "wrong_layout",
        &["NOTE_LAYOUT=\"0000000000000000\""],
        "was built against other layouts of plugin API 1.0 (0000000000000000)",
    )
    .hint(RELEASED_KIT),
    refused(
        "panic_abort",
        &["NOTE_PANIC=\"abort\""],
        "is built with panic=abort: a panic in it would end the process",
    )
    .hint("rebuild it with panic = \"unwind\""),
    refused(
        "no_note",
        &["NO_NOTE"],
        "is no Assay plugin: it has no `.note.assay`",
    )
    .hint("assay install plugin/no_note"),
    refused(
        "wrong_name",
        &["NOTE_NAME=\"other\""],
        "is plugin other 1.0.0 by its note: the file name does not fit",
    )
    .hint("assay install plugin/wrong_name"),
    refused(
        "wrong_version",
        &["NOTE_VERSION=\"2.0.0\""],
        "is plugin wrong_version 2.0.0 by its note: the file name does not fit",
    )
    .hint("assay install plugin/wrong_version"),
    refused("empty", &[], "is not an ELF file")
        .change(Change::Contents(b""))
        .hint("assay install plugin/empty"),
    refused("not_elf", &[], "is not an ELF file")
        .change(Change::Contents(
            b"<html><body>404 page not found: this is what a proxy left behind</body></html>",
        ))
        .hint("assay install plugin/not_elf"),
    refused("truncated", &[], "is truncated: {size} bytes of {full}")
        .change(Change::Cut(60))
        .hint("assay install plugin/truncated"),
    refused("truncated_end", &[], "is truncated: {size} bytes of {full}")
        .change(Change::Cut(99))
        .hint("assay install plugin/truncated_end"),
    refused("elf32", &[], "is not a 64-bit little-endian ELF file")
        .change(Change::Patch(4, &[1]))
        .hint("assay install plugin/elf32"),
    refused("big_endian", &[], "is not a 64-bit little-endian ELF file")
        .change(Change::Patch(5, &[2]))
        .hint("assay install plugin/big_endian"),
    refused(
        "other_machine",
        &[],
        "is built for another machine than {machine}",
    )
    .change(Change::Patch(18, &[243, 0])) // RISC-V
    .hint("assay install plugin/other_machine"),
    refused(
        "runpath",
        &[],
        "brings its own library search path (RPATH or RUNPATH)",
    )
    .change(Change::Link("-Wl,-rpath,/nowhere"))
    .hint("link it without one"),
    refused(
        "other_library",
        &["OTHER_LIBRARY"],
        "needs the library libother.so",
    )
    .change(Change::OtherLibrary)
    .hint("link it statically into the plugin"),
    refused(
        "new_glibc",
        &[],
        "needs glibc 2.99, this system has {glibc}",
    )
    .change(Change::NewGlibc)
    .hint("use a newer base image, or a build for an older glibc"),
    refused("writable", &[], "is writable by everybody")
        .change(Change::Mode(0o666))
        .hint("chmod o-w {path}"),
    refused("directory", &[], "is not a regular file").change(Change::Directory),
    opened(
        "missing_symbol",
        &["SYMBOL_NAME=elsewhere"],
        "has no symbol `assay_plugin_v1_missing_symbol`",
    )
    .hint("declare it with `plugin!`, and build a cdylib"),
    opened(
        "wrong_declaration",
        &["DECL_MAJOR=2"],
        "has a declaration that does not fit its note",
    )
    .hint("assay install plugin/wrong_declaration"),
    opened(
        "wrong_magic",
        &["DECL_MAGIC=0"],
        "has a declaration that does not fit its note",
    )
    .hint("assay install plugin/wrong_magic"),
    opened(
        "failing_init",
        &["INIT_FAILS"],
        "init failed: no licence found",
    )
    .hint("set ACME_LICENCE"),
    opened(
        "links_b",
        &["NOTE_LINKS=\"acme,\""],
        "contains `acme`, which {other} has loaded already",
    )
    .change(Change::LinkedTwice)
    .hint("use versions of the two that share it, or only one of them"),
];

const fn refused(
    name: &'static str,
    defines: &'static [&'static str],
    message: &'static str,
) -> Broken {
    Broken {
        name,
        defines,
        before_code: true,
        change: Change::None,
        message,
        hint: "",
    }
}

const fn opened(
    name: &'static str,
    defines: &'static [&'static str],
    message: &'static str,
) -> Broken {
    Broken {
        before_code: false,
        ..refused(name, defines, message)
    }
}

impl Broken {
    const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    const fn change(self, change: Change) -> Self {
        Self { change, ..self }
    }

    /// Builds it into `<dir>/<name>/plugins/`.
    pub fn build(&self, dir: &Path) -> Built {
        let (root, path) = place(dir, self.name, self.name, "1.0.0");
        let mut script = format!("{}.hello()", self.name);
        let mut defines = vec![format!("NAME={}", self.name)];
        defines.extend(self.defines.iter().map(|define| (*define).to_owned()));
        if self.before_code {
            defines.push("REFUSED".into());
        }
        let mut link = Vec::new();
        let mut other = PathBuf::new();
        match self.change {
            Change::Link(argument) => link.push(argument.to_owned()),
            Change::OtherLibrary => {
                let source = root.join("other.c");
                fs::write(&source, "int other_library(void) { return 0; }\n")
                    .expect("write other.c");
                compile(
                    &source,
                    &root.join("libother.so"),
                    &[],
                    &["-Wl,-soname,libother.so".into()],
                );
                link.extend(["-L".into(), root.display().to_string(), "-lother".into()]);
            }
            Change::LinkedTwice => {
                other = root.join("plugins/links_a-1.0.0.so");
                compile(
                    &source("broken.c"),
                    &other,
                    &["NAME=links_a".into(), "NOTE_LINKS=\"acme,\"".into()],
                    &[],
                );
                script = format!("links_a.hello()\n{script}");
            }
            Change::Cut(_) => {
                let good = root.join(format!("plugins/{}-0.9.0.so", self.name));
                let name = format!("NAME={}", self.name);
                compile(
                    &source("broken.c"),
                    &good,
                    &[name, "NOTE_VERSION=\"0.9.0\"".into()],
                    &[],
                );
            }
            _ => {}
        }
        compile(&source("broken.c"), &path, &defines, &link);

        let mut bytes = fs::read(&path).expect("read what was built");
        let full = bytes.len();
        match self.change {
            Change::Cut(percent) => bytes.truncate(full * percent / 100),
            Change::Contents(contents) => bytes = contents.into(),
            Change::Patch(at, patch) => bytes[at..at + patch.len()].copy_from_slice(patch),
            Change::NewGlibc => raise_glibc(&mut bytes),
            _ => {}
        }
        fs::write(&path, &bytes).expect("write the fixture");
        match self.change {
            Change::Directory => {
                fs::remove_file(&path).expect("remove the file");
                fs::create_dir(&path).expect("make a directory of its name");
            }
            Change::Mode(mode) => chmod(&path, mode),
            _ => {}
        }

        let fill = |text: &str| {
            text.replace("{size}", &bytes.len().to_string())
                .replace("{full}", &full.to_string())
                .replace("{path}", &path.display().to_string())
                .replace("{other}", &other.display().to_string())
                .replace("{glibc}", &glibc())
                .replace("{machine}", std::env::consts::ARCH)
        };
        Built {
            message: format!(
                "plugin {} 1.0.0 ({}): {}",
                self.name,
                path.display(),
                fill(self.message)
            ),
            hint: fill(self.hint),
            root,
            path,
            script,
        }
    }
}

/// Builds `conformance` into `<dir>/conformance/plugins/` and returns its library root.
pub fn conformance(dir: &Path) -> PathBuf {
    let (root, path) = place(dir, "conformance", "conformance", "1.0.0");
    compile(&source("conformance.c"), &path, &[], &["-pthread".into()]);
    root
}

/// Builds `misbehaving` into `<dir>/misbehaving/plugins/` and returns its library root.
pub fn misbehaving(dir: &Path) -> PathBuf {
    rust(dir, "misbehaving", "misbehaving", "1.0.0")
}

/// Builds `hello`, the example, into `<dir>/hello/plugins/` and returns its library root.
pub fn hello(dir: &Path) -> PathBuf {
    rust(dir, "hello-plugin", "hello", "0.1.0")
}

/// A family whose newest version needs a newer runtime: its older one is to be taken.
pub fn newest_needs_more(dir: &Path) -> PathBuf {
    let (root, newest) = place(dir, "choosy", "choosy", "2.0.0");
    let defines = [
        "NAME=choosy",
        "NOTE_VERSION=\"2.0.0\"",
        "NOTE_ABI=\"1.99\"",
        "REFUSED",
    ];
    compile(
        &source("broken.c"),
        &newest,
        &defines.map(String::from),
        &[],
    );
    compile(
        &source("broken.c"),
        &root.join("plugins/choosy-1.0.0.so"),
        &["NAME=choosy".into()],
        &[],
    );
    root
}

fn place(dir: &Path, root: &str, name: &str, version: &str) -> (PathBuf, PathBuf) {
    let root = dir.join(root);
    let plugins = root.join("plugins");
    // What an earlier run left may be a directory, or not writable.
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&plugins).expect("make the plugins' directory");
    chmod(&plugins, 0o755);
    let path = plugins.join(format!("{name}-{version}.so"));
    (root, path)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set the mode");
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the project")
        .into()
}

fn source(file: &str) -> PathBuf {
    project().join("tests/fixtures/plugins").join(file)
}

fn compile(source: &Path, to: &Path, defines: &[String], link: &[String]) {
    let output = Command::new("cc")
        .args([
            "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-shared", "-fPIC", "-I",
        ])
        .arg(project().join("plugin-api/include"))
        .args(defines.iter().map(|define| format!("-D{define}")))
        .arg("-o")
        .args([to, source])
        .args(link)
        .output()
        .expect("a C compiler (cc)");
    assert!(
        output.status.success(),
        "{}: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    chmod(to, 0o644);
}

fn rust(dir: &Path, package: &str, name: &str, version: &str) -> PathBuf {
    let (root, path) = place(dir, name, name, version);
    // <target>/<profile>/deps/<this test>
    let test = std::env::current_exe().expect("this test's path");
    let is_profile = |path: &&Path| path.ends_with("debug") || path.ends_with("release");
    let profile = test
        .ancestors()
        .find(is_profile)
        .expect("a profile's directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(project())
        .args(["build", "--quiet", "--package", package, "--target-dir"]);
    cargo.arg(profile.parent().expect("the target directory"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo");
    assert!(
        output.status.success(),
        "{package}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::copy(
        profile.join(format!("lib{}.so", name.replace('-', "_"))),
        &path,
    )
    .expect("copy the plugin");
    chmod(&path, 0o644);
    root
}

/// Makes the first glibc version that the file needs one that nobody has.
fn raise_glibc(bytes: &mut [u8]) {
    let name = b"GLIBC_2.";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .expect("a need of glibc");
    let rest = &mut bytes[at + name.len()..];
    let len = rest
        .iter()
        .position(|byte| *byte == 0)
        .expect("an end of the name");
    rest[..len].fill(0);
    rest[..len.min(2)].fill(b'9');
    assert!(len >= 2, "a minor version of two digits");
}

fn glibc() -> String {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .expect("getconf");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().trim_start_matches("glibc ").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the README is this file's. `UPDATE=1` rewrites it.
    #[test]
    fn readme_lists_every_case() {
        let mut table = String::from(
            "| plugin | message after `plugin NAME 1.0.0 (PATH): ` | hint |\n|---|---|---|\n",
        );
        for case in BROKEN {
            let code = |text: &str| match text {
                "" => String::new(),
                text if text.contains('`') => format!("`` {text} ``"),
                text => format!("`{text}`"),
            };
            table += &format!(
                "| `{}` | {} | {} |\n",
                case.name,
                code(case.message),
                code(case.hint)
            );
        }
        let path = source("README.md");
        let readme = fs::read_to_string(&path).unwrap();
        let (before, rest) = readme.split_once("<!-- generated -->\n").unwrap();
        let (current, after) = rest.split_once("<!-- end -->\n").unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(
                &path,
                format!("{before}<!-- generated -->\n{table}<!-- end -->\n{after}"),
            )
            .unwrap();
        } else {
            assert_eq!(current, table, "run the test with UPDATE=1");
        }
    }

    /// Each fixture is what it says, as far as the system's own tools see it.
    #[test]
    fn every_case_builds() {
        let dir = std::env::temp_dir().join(format!("assay-fixtures-{}", std::process::id()));
        for case in BROKEN {
            let built = case.build(&dir);
            assert!(built.path.exists(), "{}", case.name);
            assert!(
                !built.message.contains('{') && !built.hint.contains('{'),
                "{}",
                built.message
            );
        }
        for root in [conformance(&dir), newest_needs_more(&dir)] {
            assert!(root.join("plugins").is_dir());
        }
        fs::remove_dir_all(dir).unwrap();
    }
}
