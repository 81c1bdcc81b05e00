//! Private folders, fixtures, registries and servers for the tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use assay_registry::digest::Digest;
use tempfile::TempDir;

/// A private folder with its own home and cache.
pub struct Lab {
    folder: TempDir,
}

/// What a finished command left behind.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Lab {
    pub fn new() -> Self {
        Lab {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn write(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, below: &str) -> String {
        fs_err::read_to_string(self.path(below)).unwrap()
    }

    /// `assay-registry ...`, in this folder and with nothing of the caller's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay-registry"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command
            .env("HOME", self.path("home"))
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        output(&mut self.command(arguments))
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.code, 0, "{arguments:?}\n{}", output.stderr);
        output
    }

    /// A collection of libraries: `k8s`, `vault` on it, `certmanager` on both,
    /// with the plugin families that they call.
    pub fn stdlib(&self, version: &str) -> String {
        for name in ["k8s", "vault", "certmanager"] {
            self.write(
                &format!("stdlib/{name}/init.lua"),
                format!("-- {name} {version}\nreturn {{}}\n"),
            );
            self.write(&format!("stdlib/{name}/README.md"), format!("# {name}\n"));
            self.write(&format!("stdlib/{name}/types/{name}.lua"), "---@meta\n");
            self.write(
                &format!("stdlib/{name}/tests/{name}.lua"),
                "error('never packed')\n",
            );
            self.write(
                &format!("stdlib/{name}/{name}_test.lua"),
                "error('never packed')\n",
            );
        }
        self.write("stdlib/vault/kv.lua", format!("return '{version}'\n"));
        let manifest = format!(
            "name: assay-stdlib\nversion: {version}\nlicense: MIT OR Apache-2.0\nrequires: {{assay: '>=0.1'}}\nlibraries:\n  - {{name: k8s, description: Kubernetes, requires_builtins: [http.client, json]}}\n  - {{name: vault, description: Vault client, requires_builtins: [http.client, crypto.random]}}\n  - {{name: certmanager, requires: [k8s]}}\n"
        );
        self.write("stdlib/manifest.yaml", manifest);
        "stdlib/manifest.yaml".to_owned()
    }

    /// Plugins with real notes: http and crypto.
    pub fn plugins(&self, version: &str) -> String {
        let mut manifest = format!("version: {version}\nplugins:\n");
        for name in ["http", "crypto"] {
            let so = shared_library(name, version, "1.0");
            self.write(
                &format!("plugins/{name}-{version}.so"),
                fs_err::read(so).unwrap(),
            );
            manifest.push_str(&format!(
                "  - {{name: {name}, library: {name}-{version}.so, provides: [{name}]}}\n"
            ));
        }
        self.write("plugins/manifest.yaml", manifest);
        "plugins/manifest.yaml".to_owned()
    }

    /// Publishes both collections.
    pub fn publish_all(&self, to: &str, version: &str) {
        let (stdlib, plugins) = (self.stdlib(version), self.plugins(version));
        self.ok(&["publish", "--manifest", &plugins, "--to", to]);
        self.ok(&["publish", "--manifest", &stdlib, "--to", to]);
    }

    /// One library with any manifest lines of its own.
    pub fn publish_library(&self, to: &str, name: &str, version: &str, lines: &str) {
        let folder = format!("one-{name}-{version}");
        self.write(
            &format!("{folder}/{name}/init.lua"),
            format!("return '{name} {version}'\n"),
        );
        let manifest = format!("libraries:\n  - name: {name}\n    version: {version}\n{lines}");
        self.write(&format!("{folder}/manifest.yaml"), manifest);
        self.ok(&[
            "publish",
            "--manifest",
            &format!("{folder}/manifest.yaml"),
            "--to",
            to,
        ]);
    }

    /// One plugin that speaks a plugin API.
    pub fn publish_plugin(&self, to: &str, name: &str, version: &str, api: &str) {
        let folder = format!("one-{name}-{version}");
        self.write(
            &format!("{folder}/{name}.so"),
            fs_err::read(shared_library(name, version, api)).unwrap(),
        );
        let manifest =
            format!("plugins:\n  - {{name: {name}, version: {version}, library: {name}.so}}\n");
        self.write(&format!("{folder}/manifest.yaml"), manifest);
        self.ok(&[
            "publish",
            "--manifest",
            &format!("{folder}/manifest.yaml"),
            "--to",
            to,
        ]);
    }

    /// Every file below a folder with its digest, without the lock file.
    pub fn snapshot(&self, below: &str) -> BTreeMap<String, Digest> {
        let mut files = BTreeMap::new();
        collect(&self.path(below), "", &mut files);
        files.remove(".meta/lock");
        files
    }
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    let done = command.stdin(Stdio::null()).output().unwrap();
    Output {
        code: done.status.code().unwrap_or(-1),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Digest>) {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, Digest::of(&fs_err::read(entry.path()).unwrap()));
        }
    }
}

/// A small `.so` with the note that the plugin kit writes, built once for each
/// name, version and API.
pub fn shared_library(name: &str, version: &str, api: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let so = folder.join(format!("{name}-{version}-{api}.so"));
    if so.is_file() {
        return so;
    }
    let note = format!(
        "name={name};version={version};abi={api};needs=assay.reactor/1;links=;panic=unwind;perm=net.connect,net.listen;sdk=0.1.0;layout=0123456789abcdef"
    );
    let length = note.len();
    let padded = length.next_multiple_of(4);
    let source = format!(
        "#include <stdio.h>\n\
         __attribute__((section(\".note.assay\"), used, aligned(4))) static const struct {{\n\
           unsigned owner_size, size, type; char owner[8]; char text[{padded}];\n\
         }} note = {{ 6, {length}, 1, \"Assay\", \"{note}\" }};\n\
         int {name}(void) {{ return puts(\"{name}\"); }}\n"
    );
    let c = folder.join(format!("{name}-{version}-{api}.c"));
    fs_err::write(&c, source).unwrap();
    let part = so.with_extension("part");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&part)
        .arg(&c)
        .status();
    assert!(
        status
            .expect("`cc` is needed: apt-get install gcc")
            .success()
    );
    fs_err::rename(part, &so).unwrap();
    so
}

/// A private docker-registry; it ends with the test.
pub struct Registry {
    child: Child,
    /// `127.0.0.1:PORT/acme/assay`.
    pub prefix: String,
    pub host: String,
    folder: TempDir,
}

/// The user that a registry with authentication knows.
pub const USER: &str = "assay";
/// That user's password.
pub const PASSWORD: &str = "correct-horse";
const HTPASSWD: &str = "assay:$2y$05$nEJWJUo14mDTsP2iEJreoe1vYzGZ.1LGLL4r1vHsqEGmRBqQ38GZS\n";

impl Registry {
    pub fn start() -> Self {
        Registry::start_with("")
    }

    pub fn start_with_basic_auth() -> Self {
        Registry::start_with("auth: {htpasswd: {realm: test, path: htpasswd}}\n")
    }

    /// With TLS and a certificate of its own, `ca`.
    pub fn start_with_tls() -> Self {
        Registry::start_with("http: {tls: {certificate: cert.pem, key: key.pem}}\n")
    }

    /// The certificate of a registry with TLS.
    pub fn ca(&self) -> String {
        fs_err::read_to_string(self.folder.path().join("cert.pem")).unwrap()
    }

    fn start_with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = certificate();
        fs_err::write(folder.path().join("cert.pem"), key.cert.pem()).unwrap();
        fs_err::write(
            folder.path().join("key.pem"),
            key.signing_key.serialize_pem(),
        )
        .unwrap();
        let (auth, tls) = match more.strip_prefix("http: {") {
            Some(tls) => ("", format!(", {}", tls.trim_end_matches("}\n"))),
            None => (more, String::new()),
        };
        fs_err::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0', secret: test{tls}}}\n{auth}",
            folder.path().join("storage").display()
        );
        fs_err::write(folder.path().join("config.yml"), config).unwrap();
        let mut child = Command::new("docker-registry")
            .args(["serve", "config.yml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`docker-registry` is needed for this test: apt-get install docker-registry");
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let host = loop {
            line.clear();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "docker-registry ended before it listened"
            );
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ',']).next().unwrap().to_owned();
            }
        };
        // Nobody reads the rest, but a full pipe would stop the registry.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Registry {
            child,
            prefix: format!("{host}/acme/assay"),
            host,
            folder,
        }
    }

    /// The file of a blob, for tests that damage it.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join(format!(
            "storage/docker/registry/v2/blobs/sha256/{}/{hex}/data",
            &hex[..2]
        ))
    }
}

/// A certificate for 127.0.0.1 that only its owner trusts.
pub fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap()
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request that a [`Server`] got: the first line and the headers, lower case.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: BTreeMap<String, String>,
}

/// A server that answers as a test wants, bytes for bytes.
pub struct Server {
    pub host: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` writes the whole response; the connection closes after it.
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (answer.clone(), log.clone());
                std::thread::spawn(move || serve(stream, &*answer, &log));
            }
        });
        Server { host, asked }
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|asked| asked.line.clone())
            .collect()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Asked, &mut TcpStream), log: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length: u64 = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let _ = std::io::copy(&mut reader.take(length), &mut std::io::sink());
    let asked = Asked {
        line: line.trim_end().to_owned(),
        headers,
    };
    log.lock().unwrap().push(asked.clone());
    answer(&asked, &mut stream);
    let _ = stream.flush();
}

/// A whole response.
pub fn respond(stream: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut text = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.write_all(body);
}
