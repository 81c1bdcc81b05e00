use super::*;
use assay_plugin::AnyObject;
use assay_plugin::test::Host;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A directory of the test's own, and the host.
struct Scene {
    host: Host,
    root: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let host = Host::new(&FAMILY);
        let root: Vec<u8> = host.call("tempdir", ()).unwrap();
        let root = PathBuf::from(OsStr::from_bytes(&root));
        Self { host, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn put(&self, name: &str, data: &[u8]) -> String {
        let path = self.path(name);
        self.host.call::<()>("write", (&*path, data)).unwrap();
        path
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.host.call("read", (path,))
    }

    fn fails(&self, function: &str, args: impl assay_plugin::IntoArgs) -> Error {
        self.host.call::<Value>(function, args).unwrap_err()
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let found: Value = self.host.call("glob", (self.path(pattern),)).unwrap();
        let Value::List(found) = found else {
            panic!("{found:?}")
        };
        let prefix = format!("{}/", self.root.display());
        found
            .iter()
            .map(|path| {
                path.as_str()
                    .unwrap()
                    .trim_start_matches(&prefix)
                    .to_owned()
            })
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).unwrap();
    }
}

fn options(key: &str, value: impl Into<Value>) -> Value {
    Value::Map(vec![(key.into(), value.into())])
}

fn mode(path: &str) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Root may do everything, which some cases are about not being allowed to.
fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn bytes_survive() {
    let scene = Scene::new();
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let path = scene.put("made/on/the/way/all", &all);
    assert_eq!(scene.read(&path).unwrap(), all);
    scene.put("made/on/the/way/all", b"");
    assert_eq!(scene.read(&path).unwrap(), b"");
    scene
        .host
        .call::<()>("append", (&*path, &b"\xff"[..]))
        .unwrap();
    scene.host.call::<()>("append", (&*path, "x")).unwrap();
    assert_eq!(scene.read(&path).unwrap(), b"\xffx");
    scene
        .host
        .call::<()>("append", (scene.path("new/file"), "x"))
        .unwrap();
    assert_eq!(scene.names(), ["made", "new"]);
}

#[test]
fn files_without_a_size() {
    let scene = Scene::new();
    assert!(
        scene
            .read("/proc/self/status")
            .unwrap()
            .starts_with(b"Name:")
    );
    assert_eq!(scene.read("/dev/null").unwrap(), b"");
}

#[test]
fn endless_files_end() {
    let scene = Scene::new();
    let error = scene.fails("read", ("/dev/zero", options("max_size", Value::Int(1000))));
    assert_eq!(error.kind(), "size");
    assert_eq!(
        error.message(),
        "cannot read /dev/zero: it has more than 1000 bytes"
    );
    let path = scene.put("five", b"12345");
    let exact: Vec<u8> = scene
        .host
        .call("read", (&*path, options("max_size", Value::Int(5))))
        .unwrap();
    assert_eq!(exact, b"12345");
    assert_eq!(
        scene
            .fails("read", (&*path, options("max_size", Value::Int(4))))
            .kind(),
        "size"
    );
    let huge = options("max_size", Value::Int(i64::MAX));
    assert_eq!(
        scene.host.call::<Vec<u8>>("read", (path, huge)).unwrap(),
        b"12345"
    );
}

#[test]
fn errors_name_the_path_and_what_was_tried() {
    let scene = Scene::new();
    let missing = scene.path("nothing/here");
    let error = scene.fails("read", (&*missing,));
    assert_eq!(error.kind(), "not_found");
    assert_eq!(
        error.message(),
        format!("cannot read {missing}: no such file or directory")
    );
    scene.put("config.yaml", b"");
    let error = scene.fails("read", (scene.path("confg.yaml"),));
    let near = scene.path("config.yaml");
    assert_eq!(error.hint_text(), Some(&*format!("did you mean {near}?")));
    let root = scene.root.display().to_string();
    let error = scene.fails("read", (&*root,));
    assert_eq!(
        error.message(),
        format!("cannot read {root}: is a directory")
    );
    assert_eq!(error.hint_text(), Some("use fs.list"));
    let error = scene.fails("write", (&*root, "x"));
    assert_eq!(
        error.message(),
        format!("cannot write {root}: is a directory")
    );
    let below = format!("{near}/x");
    let error = scene.fails("write", (&*below, "x"));
    assert_eq!(error.kind(), "io");
    assert_eq!(
        error.message(),
        format!("cannot write {below}: not a directory")
    );
}

#[test]
fn hostile_paths() {
    let scene = Scene::new();
    for function in [
        "read", "exists", "stat", "list", "glob", "mkdir", "remove", "lines",
    ] {
        let error = scene.fails(function, ("/tmp/a\0b",));
        assert_eq!(error.kind(), "argument", "{function}");
        assert_eq!(error.message(), "the path \"/tmp/a\\x00b\" has a zero byte");
        assert_eq!(scene.fails(function, ("",)).message(), "the path is empty");
    }
    for function in ["write", "append", "copy", "rename"] {
        assert_eq!(scene.fails(function, ("\0", "\0")).kind(), "argument");
    }
    let long = scene.path(&"x".repeat(10_000));
    assert_eq!(scene.fails("write", (&*long, "x")).kind(), "io");
    assert!(
        scene
            .fails("read", (long,))
            .message()
            .ends_with("file name too long")
    );
    // A name that is no UTF-8.
    let odd = [scene.root.as_os_str().as_bytes(), b"/\xff\xfe"].concat();
    scene.host.call::<()>("write", (&odd[..], "odd")).unwrap();
    assert_eq!(
        scene.host.call::<Vec<u8>>("read", (&odd[..],)).unwrap(),
        b"odd"
    );
    let found: Value = scene.host.call("glob", (scene.path("*"),)).unwrap();
    assert_eq!(found, Value::List(vec![Value::Bytes(odd)]));
}

#[test]
fn writing_keeps_the_mode_and_the_link() {
    let scene = Scene::new();
    let path = scene.put("secret", b"old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = scene.path("link");
    std::os::unix::fs::symlink("secret", &link).unwrap();
    scene.put("link", b"new");
    assert_eq!(mode(&path), 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(scene.read(&path).unwrap(), b"new");

    let dangling = scene.path("dangling");
    std::os::unix::fs::symlink("target", &dangling).unwrap();
    scene.put("dangling", b"x");
    assert_eq!(scene.read(&scene.path("target")).unwrap(), b"x");

    let args = (&*path, "x", options("mode", "600"));
    scene.host.call::<()>("write", args).unwrap();
    assert_eq!(mode(&path), 0o600);
    for wrong in ["rw", "9", "-1", "", "77777", "+600"] {
        let error = scene.fails("write", (&*path, "y", options("mode", wrong)));
        assert_eq!(error.kind(), "argument", "{wrong}");
    }
    assert_eq!(scene.read(&path).unwrap(), b"x");
    assert_eq!(scene.names(), ["dangling", "link", "secret", "target"]);
}

#[test]
fn a_failed_write_leaves_the_old_content_and_no_litter() {
    let scene = Scene::new();
    let path = scene.put("file", b"old");
    let failed = replace::file(Path::new(&path), None, |file| {
        file.write_all(b"half")?;
        Err(io::Error::other("disk full"))
    });
    assert!(failed.is_err());
    assert_eq!(scene.read(&path).unwrap(), b"old");
    assert_eq!(scene.names(), ["file"]);
}

#[test]
fn readers_never_see_half() {
    let scene = Scene::new();
    let path = scene.put("file", &[b'a'; 1 << 16]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..50_u8 {
                let host = Host::new(&FAMILY);
                let data = vec![b'a' + round % 26; 1 << 16];
                host.call::<()>("write", (&*path, data)).unwrap();
            }
        });
        while !writer.is_finished() {
            let data = scene.read(&path).unwrap();
            assert!(data.len() == 1 << 16 && data.iter().all(|byte| *byte == data[0]));
        }
    });
}

#[test]
fn devices_are_written_in_place() {
    let scene = Scene::new();
    scene.host.call::<()>("write", ("/dev/null", "x")).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn files_in_closed_directories_are_written_in_place() {
    if is_root() {
        return;
    }
    let scene = Scene::new();
    let path = scene.put("closed/file", b"old, and longer");
    let directory = scene.path("closed");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
    scene.put("closed/file", b"new");
    let refused = scene.fails("write", (format!("{directory}/other"), "x"));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(scene.read(&path).unwrap(), b"new");
    assert_eq!(refused.kind(), "permission");
    assert!(
        refused.message().ends_with("permission denied"),
        "{refused:?}"
    );
}

#[test]
fn stat_and_exists() {
    let scene = Scene::new();
    let path = scene.put("file", b"12345");
    let link = scene.path("link");
    std::os::unix::fs::symlink("file", &link).unwrap();
    let stat = |path: &str, opts: Value| scene.host.call::<Value>("stat", (path, opts)).unwrap();
    let found = stat(&link, Value::Nil);
    assert_eq!(found.get("type"), Some(&"file".into()));
    assert_eq!(found.get("size"), Some(&Value::Int(5)));
    assert!(matches!(found.get("modified"), Some(Value::Float(time)) if *time > 1.7e9));
    assert_eq!(found.get("mode").unwrap().as_str().unwrap().len(), 3);
    let found = stat(&link, options("follow", Value::Bool(false)));
    assert_eq!(found.get("type"), Some(&"symlink".into()));
    assert_eq!(
        stat("/dev/null", Value::Nil).get("type"),
        Some(&"other".into())
    );
    assert_eq!(stat("/", Value::Nil).get("type"), Some(&"directory".into()));
    let below = format!("{path}/below");
    let missing = scene.path("missing");
    fs::remove_file(&path).unwrap();
    for absent in [&path, &below, &missing, &link] {
        assert_eq!(stat(absent, Value::Nil), Value::Nil);
        assert!(!scene.host.call::<bool>("exists", (&**absent,)).unwrap());
    }
    assert!(scene.host.call::<bool>("exists", ("/dev/null",)).unwrap());
    // Neither yes nor no.
    std::os::unix::fs::symlink("loop", scene.path("loop")).unwrap();
    assert_eq!(scene.fails("exists", (scene.path("loop"),)).kind(), "io");
}

#[test]
fn lists_are_sorted() {
    let scene = Scene::new();
    scene.put("b", b"");
    scene.put("a/x", b"");
    std::os::unix::fs::symlink("gone", scene.path(".c")).unwrap();
    let entry = |name: &str, kind: &str| table([("name", name.into()), ("type", kind.into())]);
    let root = scene.root.display().to_string();
    assert_eq!(
        scene.host.call::<Value>("list", (&*root,)).unwrap(),
        Value::List(vec![
            entry(".c", "symlink"),
            entry("a", "directory"),
            entry("b", "file")
        ])
    );
    let file = scene.path("b");
    let error = scene.fails("list", (&*file,));
    assert_eq!(
        error.message(),
        format!("cannot list {file}: not a directory")
    );
    scene
        .host
        .call::<()>("mkdir", (scene.path("empty"),))
        .unwrap();
    let empty: Value = scene.host.call("list", (scene.path("empty"),)).unwrap();
    assert_eq!(empty, Value::List(vec![]));
}

#[test]
fn globs() {
    let scene = Scene::new();
    for name in [
        "a.lua",
        "b.lua",
        "c.txt",
        ".hidden.lua",
        "d/e.lua",
        "d/f/g.lua",
        "d/.git/h.lua",
    ] {
        scene.put(name, b"");
    }
    std::os::unix::fs::symlink("d", scene.path("link")).unwrap();
    std::os::unix::fs::symlink("..", scene.path("d/up")).unwrap();
    assert_eq!(scene.glob("*.lua"), ["a.lua", "b.lua"]);
    assert_eq!(scene.glob(".*.lua"), [".hidden.lua"]);
    assert_eq!(scene.glob("*/e.lua"), ["d/e.lua", "link/e.lua"]);
    assert_eq!(
        scene.glob("**/*.lua"),
        ["a.lua", "b.lua", "d/e.lua", "d/f/g.lua"]
    );
    assert_eq!(
        scene.glob("d/**"),
        ["d", "d/e.lua", "d/f", "d/f/g.lua", "d/up"]
    );
    assert_eq!(scene.glob("[ab].lua"), ["a.lua", "b.lua"]);
    assert_eq!(scene.glob("?.txt"), ["c.txt"]);
    assert_eq!(scene.glob("c.txt"), ["c.txt"]);
    assert_eq!(scene.glob("nothing/*"), [""; 0]);
    assert_eq!(scene.glob("c.txt/*"), [""; 0]);
    assert_eq!(scene.glob("c.txt/x"), [""; 0]);
    let error = scene.fails("glob", ("a**/b",));
    assert_eq!(error.kind(), "argument");
}

#[test]
fn deep_directories() {
    let scene = Scene::new();
    let deep = "d/".repeat(500);
    scene.put(&format!("{deep}file"), b"");
    assert_eq!(scene.glob("**/file"), [format!("{deep}file")]);
    let args = (scene.path("d"), options("recursive", Value::Bool(true)));
    scene.host.call::<()>("remove", args).unwrap();
    assert_eq!(scene.names(), [""; 0]);
}

#[test]
fn removal() {
    let scene = Scene::new();
    let file = scene.put("tree/file", b"");
    let outside = scene.put("outside", b"kept");
    std::os::unix::fs::symlink("../outside", scene.path("tree/link")).unwrap();
    let tree = scene.path("tree");
    let error = scene.fails("remove", (&*tree,));
    assert_eq!(
        error.message(),
        format!("cannot remove {tree}: directory not empty")
    );
    assert_eq!(
        error.hint_text(),
        Some("pass {recursive = true} to remove what is in it")
    );
    let recursive = || options("recursive", Value::Bool(true));
    for root in ["/", "//", "/..", "/tmp/.."] {
        let error = scene.fails("remove", (root, recursive()));
        assert!(
            error.message().contains("root of the file system"),
            "{error:?}"
        );
    }
    let error = scene.fails("remove", (&*tree, options("recursiv", Value::Bool(true))));
    assert_eq!(error.hint_text(), Some("did you mean `recursive`?"));
    assert!(scene.read(&file).is_ok());
    scene
        .host
        .call::<()>("remove", (&*tree, recursive()))
        .unwrap();
    assert_eq!(
        scene.fails("remove", (tree, recursive())).kind(),
        "not_found"
    );
    assert_eq!(scene.read(&outside).unwrap(), b"kept");
    std::os::unix::fs::symlink("/", scene.path("root")).unwrap();
    scene
        .host
        .call::<()>("remove", (scene.path("root"), recursive()))
        .unwrap();
    assert_eq!(scene.names(), ["outside"]);
}

#[test]
fn copy_and_rename() {
    let scene = Scene::new();
    let from = scene.put("from", b"content");
    fs::set_permissions(&from, fs::Permissions::from_mode(0o750)).unwrap();
    let to = scene.path("new/to");
    assert_eq!(scene.host.call::<u64>("copy", (&*from, &*to)).unwrap(), 7);
    assert_eq!(
        (scene.read(&to).unwrap(), mode(&to)),
        (b"content".to_vec(), 0o750)
    );
    assert_eq!(scene.host.call::<u64>("copy", (&*to, &*to)).unwrap(), 7);
    assert_eq!(scene.read(&to).unwrap(), b"content");
    assert!(
        scene
            .fails("copy", (scene.path("new"), &*to))
            .message()
            .contains("directory")
    );

    let moved = scene.path("other/place");
    scene.host.call::<()>("rename", (&*to, &*moved)).unwrap();
    assert_eq!(scene.read(&moved).unwrap(), b"content");
    let error = scene.fails("rename", (&*to, &*moved));
    assert_eq!(
        error.message(),
        format!("cannot rename {to} to {moved}: no such file or directory")
    );
    if fs::metadata("/dev/shm").is_ok_and(|shm| shm.dev() != fs::metadata(&moved).unwrap().dev()) {
        let error = scene.fails("rename", (&*moved, "/dev/shm/assay-test-rename"));
        assert!(error.hint_text().unwrap().contains("fs.copy"), "{error:?}");
    }
}

#[test]
fn lines_one_by_one() {
    let scene = Scene::new();
    let path = scene.put("lines", b"one\n\n\xff\r\nlast");
    let lines: AnyObject = scene.host.call("lines", (&*path,)).unwrap();
    let next = || {
        scene
            .host
            .method::<Option<Vec<u8>>>(&lines, "__call", (Value::Nil, Value::Nil))
    };
    assert_eq!(next().unwrap().unwrap(), b"one");
    assert_eq!(next().unwrap().unwrap(), b"");
    assert_eq!(next().unwrap().unwrap(), b"\xff\r");
    assert_eq!(next().unwrap().unwrap(), b"last");
    assert_eq!(next().unwrap(), None);
    assert_eq!(next().unwrap(), None);
    scene.host.method::<()>(&lines, "close", ()).unwrap();
    scene.host.method::<()>(&lines, "__close", ()).unwrap();
    let error = next().unwrap_err();
    assert_eq!(error.kind(), "closed");
    assert_eq!(error.message(), format!("the lines of {path} were closed"));
    assert_eq!(
        scene.fails("lines", (scene.path("none"),)).kind(),
        "not_found"
    );
    assert_eq!(
        scene.fails("lines", ("/",)).hint_text(),
        Some("use fs.list")
    );
}

#[test]
fn temporary_directories_are_new_and_private() {
    let (a, b) = (Scene::new(), Scene::new());
    assert_ne!(a.root, b.root);
    assert_eq!(mode(&a.root.display().to_string()), 0o700);
}

/// Nothing is touched before the host allowed it.
#[test]
fn permissions_come_first() {
    let scene = Scene::new();
    let file = scene.put("file", b"x");
    let other = scene.path("other");
    scene.host.deny("fs.write");
    let denied = |function: &str, path: &str, more: Option<&str>| {
        let error = scene.fails(function, (path, more));
        assert_eq!(error.kind(), "permission", "{function}");
        assert!(
            error.message().starts_with("not allowed: "),
            "{function}: {error:?}"
        );
    };
    for function in ["write", "append"] {
        denied(function, &file, Some("y"));
    }
    for function in ["mkdir", "remove"] {
        denied(function, &file, None);
    }
    for function in ["copy", "rename"] {
        denied(function, &file, Some(&other));
    }
    assert_eq!(scene.fails("tempdir", ()).kind(), "permission");
    assert_eq!(scene.read(&file).unwrap(), b"x");
    scene.host.deny("fs.read");
    for function in ["read", "exists", "stat", "list", "glob", "lines"] {
        denied(function, &file, None);
    }
    denied("glob", "/*", None);
    assert_eq!(scene.names(), ["file"]);
}
