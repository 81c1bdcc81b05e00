//! The executable `assay`, from outside: what it prints and how it ends.
//!
//! Most cases are data: each `tests/cli/NAME.cmd` holds command lines, which run in that folder;
//! `NAME.snap` beside it holds what they wrote and how they ended. A new case is a new file and
//! `UPDATE=1 cargo test -p assay --test cli`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

/// `assay` in a folder of its own: beside the one that cargo built lie other programs of the workspace,
/// which it would find as commands.
fn executable() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli/bin");
        fs_err::create_dir_all(&folder).unwrap();
        let place = folder.join("assay");
        let _ = fs_err::remove_file(&place);
        fs_err::copy(env!("CARGO_BIN_EXE_assay"), &place).unwrap();
        place.display().to_string()
    })
}

/// `assay` with an environment of the tests' own.
fn assay() -> Command {
    let mut command = Command::new(executable());
    command
        .current_dir(folder())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/home/nobody");
    command.stdin(Stdio::null());
    command
}

struct Ended {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended {
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        code: output.status.code(),
    }
}

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("assay-cli-{}-{name}", std::process::id()));
        fs_err::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

// ---- snapshots ----

#[test]
fn snapshots() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    let mut names: Vec<PathBuf> = fs_err::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.retain(|path| path.extension() == Some(OsStr::new("cmd")));
    names.sort();
    assert!(!names.is_empty(), "the cases are gone");
    for path in names {
        let found = transcript(&fs_err::read_to_string(&path).unwrap());
        let snap = path.with_extension("snap");
        let wanted = fs_err::read_to_string(&snap).unwrap_or_default();
        if update {
            fs_err::write(&snap, &found).unwrap();
        } else if found != wanted {
            let _ = write!(
                wrong,
                "\n==== {} has:\n{wanted}\n==== but found was:\n{found}",
                snap.display()
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong}\nif that is right: UPDATE=1 cargo test -p assay --test cli"
    );
}

/// Runs command lines: `[NAME=VALUE...] assay [ARGUMENT...]`, with `'quotes'`, and `< FILE`.
fn transcript(commands: &str) -> String {
    let mut out = String::new();
    for line in commands
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut command = assay();
        let mut words = words(line).into_iter().peekable();
        while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
            command.env(name, value);
            words.next();
        }
        assert_eq!(words.next().as_deref(), Some("assay"), "{line}");
        while let Some(word) = words.next() {
            if word == "<" {
                let file = folder().join(words.next().unwrap());
                command.stdin(fs_err::File::open(file).unwrap().into_parts().0);
            } else {
                command.arg(word);
            }
        }
        let ended = end(&mut command);
        let _ = write!(out, "$ {line}\n{}", plain(&ended.stdout));
        for line in plain(&ended.stderr).lines() {
            let _ = writeln!(out, "! {line}");
        }
        let _ = write!(
            out,
            "-> {}\n\n",
            ended.code.map_or("signal".into(), |code| code.to_string())
        );
    }
    out
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Without what differs from machine to machine and from run to run.
fn plain(text: &str) -> String {
    let prefix = Path::new(executable()).ancestors().nth(2).unwrap();
    let mut text = text
        .replace(&folder().display().to_string(), "FOLDER")
        .replace(&prefix.display().to_string(), "PREFIX")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    for (pattern, to) in [
        (r"\(\d+\.\d+ m?s\b", "(TIME"),
        (r#""duration_ms":\d+"#, "\"duration_ms\":TIME"),
        (r#"time="\d+\.\d+""#, "time=\"TIME\""),
        (r"duration_ms: \d+(\.\d+)?", "duration_ms: TIME"),
        (r#""time":"[^"]+""#, "\"time\":\"TIME\""),
        (r"\d\d:\d\d:\d\d\.\d\d\d ", "TIME "),
        (r"0x[0-9a-f]+", "0xADDRESS"),
    ] {
        text = regex_lite::Regex::new(pattern)
            .unwrap()
            .replace_all(&text, to)
            .into_owned();
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str("(no newline)\n");
    }
    text
}

// ---- signals ----

/// A script that has come as far as to say so.
fn started(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    if line != "ready\n" {
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        panic!("it said {line:?} and {stderr}");
    }
    (child, stdout)
}

fn kill(signal: &str, pid: u32) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {pid}")])
        .status()
        .unwrap();
    assert!(status.success());
}

/// How a script ends after signals, and what it wrote besides `ready`.
fn signalled(code: &str, signals: &[&str]) -> (ExitStatus, String, String) {
    let mut command = assay();
    command.args(["-e", code]);
    let (mut child, mut stdout) = started(command);
    for (at, signal) in signals.iter().enumerate() {
        if at > 0 {
            // Signals of one kind merge while one is pending: the next only once this one was taken.
            until(|| pending(child.id()) == 0);
        }
        kill(signal, child.id());
    }
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    (child.wait().unwrap(), out, err)
}

/// Signals that a process has not taken yet, as the kernel's mask.
fn pending(pid: u32) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let masks = status.lines().filter_map(|line| {
        line.strip_prefix("ShdPnd:")
            .or(line.strip_prefix("SigPnd:"))
    });
    masks
        .map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap())
        .fold(0, |a, b| a | b)
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn signals_end_what_waits_and_what_is_busy() {
    for code in [
        "print('ready') sleep(1000)",
        "print('ready') while true do end",
        "print('ready') while true do pcall(function() while true do end end) end",
        "print('ready') coroutine.wrap(function() while true do end end)()",
        "async.spawn(function() print('ready') while true do end end) sleep(1000)",
        "print('ready') async.all{function() sleep(1000) end, function() sleep(1000) end}",
    ] {
        for (signal, code_of) in [("TERM", 143), ("INT", 130)] {
            let (status, out, err) = signalled(code, &[signal]);
            assert_eq!(
                (status.code(), &*out, &*err),
                (Some(code_of), "", ""),
                "{code} {signal}"
            );
        }
    }
}

/// One call into C that takes longer than anybody waits.
const STUCK: &str = "print('ready') string.rep('a', 60):find(string.rep('a-', 40) .. 'b')";

#[test]
fn a_second_signal_ends_at_once() {
    let (status, out, err) = signalled(STUCK, &["TERM", "TERM"]);
    assert_eq!((status.code(), &*out, &*err), (Some(143), "", ""));
}

#[test]
fn one_signal_is_enough_in_the_end() {
    let mut command = assay();
    command
        .args(["-e", STUCK])
        .env("ASSAY_SHUTDOWN_TIMEOUT", "0.01");
    let (mut child, _stdout) = started(command);
    kill("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn finalizers_run_and_files_are_written_when_a_signal_comes() {
    let folder = Folder::new("signal-files");
    let path = folder.0.join("out.txt");
    let code = format!(
        "file = io.open({path:?}, 'w') file:write('kept') print('ready') while true do end",
        path = path.display().to_string()
    );
    let (status, ..) = signalled(&code, &["TERM"]);
    assert_eq!(status.code(), Some(143));
    assert_eq!(fs_err::read_to_string(path).unwrap(), "kept");
}

#[test]
fn signals_end_pid_1() {
    for (code, signal, expected) in [
        ("print('ready') sleep(1000)", "TERM", 143),
        ("print('ready') while true do end", "INT", 130),
    ] {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", executable(), "-e", code]);
        let allowed = Command::new("unshare")
            .args(["--pid", "--fork", "true"])
            .output();
        if !allowed.is_ok_and(|output| output.status.success()) {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: `unshare --pid` is not permitted here"
            );
            return;
        }
        let (mut child, _stdout) = started(command);
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let inner = fs_err::read_to_string(children).unwrap();
        kill(signal, inner.trim().parse().unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(expected), "{code}");
    }
}

#[test]
fn programs_started_by_scripts_get_sigpipe() {
    let code = r#"os.execute("(yes; echo ended $? >&2) | head -n 1")"#;
    let ended = end(assay().args(["-e", code]));
    assert_eq!((&*ended.stdout, &*ended.stderr), ("y\n", "ended 141\n"));
}

// ---- output ----

#[test]
fn a_closed_pipe_ends_quietly() {
    for code in [
        "while true do print('ready') end",
        "while true do io.write('ready', '\\n') end",
        "while true do io.stdout:write('ready\\n') end",
    ] {
        let mut command = assay();
        command.args(["-e", code]);
        let (mut child, stdout) = started(command);
        drop(stdout);
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), &*err),
            (Some(0), ""),
            "{code}"
        );
    }
    // Our own output as well.
    let mut child = assay()
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn any_other_failure_of_stdout_is_told() {
    for arguments in [
        ["-e", "print(1)"],
        ["-e", "io.write('a')"],
        ["help", "plugins"],
    ] {
        let full = fs_err::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
            .into_parts()
            .0;
        let ended = end(assay().args(arguments).stdout(full));
        // `output` pipes what is not set; stdout is.
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        assert!(
            ended.stderr.contains("No space left on device"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn files_left_open_are_written() {
    let folder = Folder::new("files");
    for (name, code) in [
        ("end", "file:write('x')"),
        ("exit", "file:write('x') os.exit(0)"),
        ("error", "file:write('x') error('e')"),
    ] {
        let path = folder.0.join(name);
        end(assay().args([
            "-e",
            &format!(
                "file = io.open({:?}, 'w') {code}",
                path.display().to_string()
            ),
        ]));
        assert_eq!(fs_err::read_to_string(path).unwrap(), "x", "{name}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let coloured = |no_color: &str| {
        // `script` runs a command on a terminal of its own.
        let mut command = Command::new("script");
        command.args([
            "-qec",
            &format!("{} -e 'error(1)'", executable()),
            "/dev/null",
        ]);
        command.env("NO_COLOR", no_color).stdin(Stdio::null());
        end(&mut command).stdout.contains("\x1b[31;1merror:\x1b[0m")
    };
    assert!(coloured(""));
    assert!(!coloured("1"));
    assert!(
        !end(assay().args(["-e", "error(1)"]))
            .stderr
            .contains('\x1b')
    );
}

// ---- programs, projects, plugins ----

#[test]
fn commands_are_programs() {
    let folder = Folder::new("programs");
    folder.program("assay-hello", "#!/bin/sh\necho hello \"$@\"\nexit 5\n");
    folder.program("assay-registry", "#!/bin/sh\necho registry \"$@\"\n");
    folder.write("assay-data", "not a program");
    let run = |arguments: &[&str]| end(assay().args(arguments).env("PATH", &folder.0));
    let ended = run(&["hello", "a b", "--help"]);
    assert_eq!(
        (&*ended.stdout, ended.code),
        ("hello a b --help\n", Some(5))
    );
    assert_eq!(
        run(&["install", "x", "--locked"]).stdout,
        "registry install x --locked\n"
    );
    assert_eq!(
        run(&["help", "install"]).stdout,
        "registry install --help\n"
    );
    let ended = run(&["data"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(
        ended
            .stderr
            .starts_with("error: `data` is neither a command nor a script\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_project_has_its_own_root() {
    let folder = Folder::new("project");
    folder.write("assay.toml", "[project]\nname = \"p\"\n");
    folder.write(".assay/one/init.lua", "return { from = 'the project' }");
    folder.write("data/assay/one.lua", "return { from = 'the user' }");
    folder.write("data/assay/two.lua", "return { from = 'the user' }");
    folder.write("jobs/beside.lua", "return { from = 'beside' }");
    let code =
        "print(require('assay.one').from, require('assay.two').from, require('beside').from)";
    let script = folder.write("jobs/main.lua", code);
    let ended = end(assay()
        .arg(&script)
        .env("XDG_DATA_HOME", folder.0.join("data")));
    assert_eq!(
        (&*ended.stdout, &*ended.stderr),
        ("the project\tthe user\tbeside\n", "")
    );

    // The path variable replaces all of them; a relative root is one of the current folder.
    let ended = end(assay()
        .args(["-e", "print(require('assay.two').from)"])
        .current_dir(&folder.0)
        .env("ASSAY_LIB_PATH", ":data/assay"));
    assert_eq!((&*ended.stdout, &*ended.stderr), ("the user\n", ""));
}

#[test]
fn the_lock_pins_plugins() {
    let folder = Folder::new("lock");
    folder.write("assay.toml", "");
    folder.write(".assay/plugins/gone-1.0.0.so", "");
    let script = folder.write("main.lua", "gone.call()");
    let run = |lock: &str| {
        folder.write("assay.lock", lock);
        let ended = end(assay().arg(&script));
        (
            ended.code,
            ended
                .stderr
                .replace(&folder.0.display().to_string(), "FOLDER"),
        )
    };
    let (code, err) =
        run("version = 1\n[[package]]\nkind = \"plugin\"\nname = \"gone\"\nversion = \"2.0.0\"\n");
    assert_eq!(code, Some(1));
    assert!(
        err.starts_with(
            "error: gone.call: plugin `gone` 2.0.0, which assay.lock pins, is not installed\n"
        ),
        "{err}"
    );
    assert!(err.ends_with("\n\nhint: assay install\n"), "{err}");

    let hint =
        "\n\nhint: take assay.lock from version control, or delete it and run `assay install`\n";
    let (code, err) = run("version = 1\n[[package]\n");
    assert_eq!(code, Some(2));
    assert!(
        err.starts_with("error: FOLDER/assay.lock: line 2: ") && err.ends_with(hint),
        "{err}"
    );
    let (code, err) = run("[[package]]\nkind = \"plugin\"\n");
    assert_eq!(
        (code, err),
        (
            Some(2),
            format!("error: FOLDER/assay.lock: a package has no kind, name or version{hint}")
        )
    );
}

#[test]
fn broken_plugins_are_listed() {
    let folder = Folder::new("plugins");
    let path = folder.write("plugins/bad-1.0.0.so", "\x7fELF");
    let ended = end(assay().arg("plugins").env("ASSAY_LIB_PATH", &folder.0));
    assert_eq!((ended.code, &*ended.stderr), (Some(1), ""));
    let start = format!(
        "bad 1.0.0 (broken)\n    file: {0}\n    error: plugin bad 1.0.0 ({0}): ",
        path.display()
    );
    assert!(ended.stdout.starts_with(&start), "{}", ended.stdout);
    let ended = end(assay().args(["plugins", "--json"]).arg(&path));
    assert_eq!(ended.code, Some(1));
    assert!(
        ended
            .stdout
            .starts_with(r#"{"plugins":[{"name":"bad","version":"1.0.0","path":""#),
        "{}",
        ended.stdout
    );
}

#[test]
fn types_are_written_for_editors() {
    let folder = Folder::new("types");
    folder.write("lib/demo/init.lua", "#!/usr/bin/assay\nreturn {}\n");
    folder.write("lib/demo/parts/more.lua", "return {}\n");
    folder.write("lib/demo/tests/demo_test.lua", "");
    folder.write("lib/demo/old_test.lua", "");
    folder.write("lib/.meta/library-demo.lua", "");
    folder.write("lib/plugins/readme.lua", "");
    folder.write("lib/other/data/tool.lua", "");
    folder.write("hidden/demo/init.lua", "return 'hidden'\n");
    folder.write("hidden/single.lua", "return {}\n");
    std::os::unix::fs::symlink("..", folder.0.join("lib/demo/loop")).unwrap();
    let roots = format!("{0}/lib:{0}/hidden:{0}/nothing", folder.0.display());
    let run = || {
        end(assay()
            .args(["types", "my types"])
            .current_dir(&folder.0)
            .env("ASSAY_LIB_PATH", &roots))
    };
    let read = |name: &str| fs_err::read_to_string(folder.0.join(name)).unwrap();
    let said = "types of the core, 0 plugins and 2 libraries are in my types\n";
    let header = "-- Written by `assay types`, which replaces this file when it runs again.\n";

    let ended = run();
    assert_eq!(
        (ended.code, &*ended.stdout, &*ended.stderr),
        (
            Some(0),
            "",
            &*format!("{said}.luarc.json was written: editors with LuaLS or EmmyLua find them\n")
        )
    );
    assert!(read(".luarc.json").contains("\"workspace.library\": [\"my types\"]"));
    let fs = read("my types/builtins/fs.lua");
    assert_eq!(
        fs.strip_prefix(header),
        Some(include_str!("../types/fs.lua"))
    );
    assert!(read("my types/builtins/it.lua").contains("---@field skip fun(name: string"));
    let mut found = Vec::new();
    let mut folders = vec![folder.0.join("my types/assay")];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder_of(&path)).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    assert_eq!(
        found,
        ["demo/init.lua", "demo/parts/more.lua", "single.lua"].map(PathBuf::from)
    );
    // The first root's; what is behind the header is no first line any more.
    assert_eq!(
        read("my types/assay/demo/init.lua"),
        format!("{header}--#!/usr/bin/assay\nreturn {{}}\n")
    );

    // What is there and the same is not touched; what is gone goes; the editor's file stays.
    folder.write(".luarc.json", "{\"workspace.library\": [\"my types\"]}");
    folder.write("my types/assay/own.lua", "mine");
    fs_err::remove_file(folder.0.join("lib/demo/parts/more.lua")).unwrap();
    let stub = folder.0.join("my types/builtins/fs.lua");
    fs_err::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let before = fs_err::metadata(&stub).unwrap().modified().unwrap();
    let ended = run();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), said));
    assert_eq!(fs_err::metadata(&stub).unwrap().modified().unwrap(), before);
    assert!(!folder.0.join("my types/assay/demo/parts/more.lua").exists());
    assert_eq!(read("my types/assay/own.lua"), "mine");
    assert_eq!(
        read(".luarc.json"),
        "{\"workspace.library\": [\"my types\"]}"
    );

    // An editor's file that says nothing of it is not changed.
    fs_err::rename(folder.0.join(".luarc.json"), folder.0.join(".emmyrc.json")).unwrap();
    folder.write(".emmyrc.json", "{}");
    let ended = run();
    assert_eq!(
        ended.stderr,
        format!(
            "{said}.emmyrc.json is there already: `workspace.library` in it needs \"my types\"\n"
        )
    );
    assert!(!folder.0.join(".luarc.json").exists());

    // Nothing is written where something of others would have to go.
    fs_err::remove_dir_all(folder.0.join("my types/builtins")).unwrap();
    folder.write("my types/builtins/http.lua", "");
    folder.write("my types/builtins/yaml.lua", "mine");
    let ended = run();
    assert_eq!(
        (ended.code, &*ended.stderr),
        (
            Some(2),
            "error: my types/builtins/yaml.lua is there, and not by `assay types`\n\n\
             hint: name another folder, or move the file away\n"
        )
    );
    assert!(!folder.0.join("my types/builtins/fs.lua").exists());
}

/// `.../assay` above a file.
fn folder_of(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.ends_with("assay"))
        .unwrap()
        .to_owned()
}

#[test]
fn types_of_broken_plugins_are_left_out() {
    let folder = Folder::new("types-broken");
    let path = folder.write("lib/plugins/bad-1.0.0.so", "\x7fELF");
    let ended = end(assay()
        .args(["types", "types"])
        .current_dir(&folder.0)
        .env("ASSAY_LIB_PATH", folder.0.join("lib")));
    assert_eq!(ended.code, Some(1));
    let start = format!("error: plugin bad 1.0.0 ({}): ", path.display());
    assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
    assert!(folder.0.join("types/builtins/fs.lua").exists());

    let file = folder.write("file", "");
    let ended = end(assay().arg("types").arg(&file).current_dir(&folder.0));
    assert_eq!(
        (ended.code, ended.stderr),
        (Some(2), format!("error: {} is no folder\n", file.display()))
    );
    let below = file.join("below");
    let ended = end(assay().arg("types").arg(&below).current_dir(&folder.0));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains(&below.display().to_string()),
        "{}",
        ended.stderr
    );
}

#[test]
fn names_of_files_are_not_cut() {
    let folder = Folder::new("names");
    let name = format!(
        "{}/{}.lua",
        "long-folder-name".repeat(4),
        "long-file-name".repeat(4)
    );
    let script = folder.write(&name, "local function f()\n  error('deep')\nend\nf()\n");
    let ended = end(assay().arg(&script));
    let place = format!("{}:2", script.display());
    assert!(
        ended
            .stderr
            .starts_with(&format!("error: {place}: deep\n  --> {place}\n")),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("  > 2 |   error('deep')\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_report_can_be_written_to_a_file() {
    let folder = Folder::new("report");
    let report = folder.0.join("report.xml");
    let ended = end(assay()
        .args(["test", "runner/passes_test.lua", "--format=junit", "-o"])
        .arg(&report));
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stdout.ends_with("\n2 passed, 0 failed, 1 skipped\n"),
        "{}",
        ended.stdout
    );
    assert!(
        fs_err::read_to_string(&report)
            .unwrap()
            .starts_with("<?xml version=\"1.0\"")
    );
    let ended = end(assay().args([
        "test",
        "runner/passes_test.lua",
        "-o",
        "/nonexistent/report",
    ]));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("/nonexistent/report"),
        "{}",
        ended.stderr
    );
}

#[test]
fn files_are_tested_in_parallel() {
    // Each waits for the other's file: in turn they would wait for ever.
    let folder = Folder::new("parallel");
    let test = |own: &str, other: &str| {
        format!(
            "it('meets the other', function()\n  fs.write({own:?}, '')\n  while not fs.exists({other:?}) do sleep(0.001) end\nend)\n",
            own = folder.0.join(own).display().to_string(),
            other = folder.0.join(other).display().to_string()
        )
    };
    folder.write("a_test.lua", test("a", "b"));
    folder.write("b_test.lua", test("b", "a"));
    let ended = end(assay().args(["test", "--jobs=2"]).arg(&folder.0));
    assert!(
        ended.stdout.ends_with("\n2 passed, 0 failed\n"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
}
