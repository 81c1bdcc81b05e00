//! Every `tests/escapes/*.lua` tries to get out of what it was given, and must fail.
//!
//! Each runs in a sandbox, on the runtime with plugins and on the static one, beside things that it must
//! not get at: a file and a variable with a secret, and a server on this machine that counts who connects.
//! It looks itself whether it got anywhere, and prints `held` if not. Comments at its top say what is special:
//!
//! ```lua
//! -- trusted                  no sandbox: a script with permissions
//! -- args: --allow-net=...    options before the script
//! -- ends: ran longer than    it does not reach its end: standard error says why
//! ```
//!
//! `$DIR` is the folder with the files, `$REDIRECTOR` the port of a server that sends everybody to the one
//! that counts. The script is given the folder, and both ports.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assay_tests::{command, dist};
use libtest_mimic::Trial;

use crate::{Outcome, case, case_if, folder, scripts};

const SECRET: &str = "the-secret-of-this-test";

pub fn cases() -> Vec<Trial> {
    let mut files = dist::list(&assay_tests::project().join("tests/escapes"));
    files.sort();
    let count = files.len();
    let mut cases = vec![case(format!("escapes::{count}_attempts"), move || {
        match count >= 60 {
            true => Ok(()),
            false => Err(format!("only {count} in tests/escapes")),
        }
    })];
    for file in files {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let other = file.clone();
        cases.push(case(format!("escapes::{name}"), move || {
            attempt(&file, "assay")
        }));
        cases.push(case(format!("escapes::static::{name}"), move || {
            attempt(&other, "assay-static")
        }));
    }
    cases.push(case_if("escapes::dns_rebinding", not_root, rebinding));
    cases.push(case(
        "escapes::plugin_of_the_project",
        plugin_of_the_project,
    ));
    cases
}

/// What an attempt must not get at.
struct Scene {
    folder: tempfile::TempDir,
    canary: Canary,
    redirector: Canary,
    _socket: UnixListener,
}

impl Scene {
    fn new() -> Result<Self, String> {
        let folder = folder()?;
        let at = |name: &str| folder.path().join(name);
        let make = || -> std::io::Result<UnixListener> {
            for name in ["allowed", "allowed-not", "outside"] {
                fs_err::create_dir(at(name))?;
            }
            for name in ["secret", "allowed-not/secret", "outside/secret"] {
                fs_err::write(at(name), SECRET)?;
            }
            fs_err::write(at("allowed/file"), "harmless")?;
            symlink("../secret", at("allowed/relative"))?;
            symlink(at("secret"), at("allowed/absolute"))?;
            symlink("../outside", at("allowed/folder"))?;
            symlink("relative", at("allowed/chain"))?;
            symlink("loop", at("allowed/loop"))?;
            symlink("../outside/new", at("allowed/dangling"))?;
            UnixListener::bind(at("socket"))
        };
        let socket = make().map_err(|error| error.to_string())?;
        let canary = Canary::start(String::from("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"))?;
        let redirector = Canary::start(format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n",
            canary.port
        ))?;
        Ok(Self {
            folder,
            canary,
            redirector,
            _socket: socket,
        })
    }

    /// Whether all is as it was.
    fn untouched(&self) -> Outcome {
        let connections = self.canary.connections.load(Ordering::SeqCst);
        if connections > 0 {
            return Err(format!("it connected to this machine {connections} times"));
        }
        let secret = fs_err::read_to_string(self.folder.path().join("secret"));
        if secret.ok().as_deref() != Some(SECRET) {
            return Err("it changed the secret".into());
        }
        match dist::list(&self.folder.path().join("outside")).len() {
            1 => Ok(()),
            _ => Err("it wrote outside".into()),
        }
    }
}

/// A server that counts its connections and answers each with the same.
struct Canary {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Canary {
    fn start(answer: String) -> Result<Self, String> {
        let listener = TcpListener::bind("0.0.0.0:0").map_err(|error| error.to_string())?;
        let port = listener
            .local_addr()
            .map_err(|error| error.to_string())?
            .port();
        let connections = Arc::new(AtomicUsize::new(0));
        // Where there is IPv6, there too.
        let other = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
        for listener in [Some(listener), other.ok()].into_iter().flatten() {
            let (connections, answer) = (Arc::clone(&connections), answer.clone());
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
        Ok(Self { port, connections })
    }
}

fn attempt(file: &Path, binary: &str) -> Outcome {
    let scene = Scene::new()?;
    let source = fs_err::read_to_string(file).map_err(|error| error.to_string())?;
    let directory = scene.folder.path().display().to_string();
    let mut options: Vec<String> = ["--memory-limit=32MB", "--sandbox"].map(Into::into).into();
    let mut ends = None;
    for line in source.lines().map_while(|line| line.strip_prefix("-- ")) {
        if line == "trusted" {
            options.retain(|option| option != "--sandbox");
        } else if let Some(more) = line.strip_prefix("args: ") {
            let more = more
                .replace("$DIR", &directory)
                .replace("$REDIRECTOR", &scene.redirector.port.to_string());
            options.extend(more.split(' ').map(Into::into));
        } else if let Some(text) = line.strip_prefix("ends: ") {
            ends = Some(text.to_owned());
        }
    }
    // What is to be stopped by the limit need not wait for it.
    let endless = matches!(ends.as_deref(), Some("ran longer than" | "the time is up"));
    options.push(format!("--timeout={}", if endless { 1 } else { 45 }));
    let roots = match binary {
        "assay" => vec![dist::root()],
        _ => vec![dist::libraries_only(scene.folder.path())],
    };
    let mut command = scripts::assay(binary, scene.folder.path(), &roots);
    command
        .env("ESCAPE_SECRET", SECRET)
        .args(&options)
        .arg(file)
        .arg(&directory)
        .arg(scene.canary.port.to_string())
        .arg(scene.redirector.port.to_string());
    let output = command::run(&mut command)?;
    let all = format!("{}{}", output.stdout, output.stderr);
    let shown: String = all.chars().take(2000).collect();
    if !matches!(output.code, 0 | 1 | 124) {
        return Err(format!("exit code {}\n{shown}", output.code));
    }
    if all.contains(SECRET) {
        return Err(format!("it has the secret\n{shown}"));
    }
    match ends {
        Some(text) if !output.stderr.contains(&text) => {
            return Err(format!("it should have ended with {text:?}\n{shown}"));
        }
        None if output.stdout.lines().last() != Some("held") => {
            return Err(format!("it did not hold\n{shown}"));
        }
        _ => {}
    }
    scene.untouched()
}

fn not_root() -> Option<String> {
    let id = command::run(std::process::Command::new("id").arg("-u")).ok()?;
    let may = id.stdout.trim() == "0"
        && command::run(std::process::Command::new("unshare").args(["-m", "true"]))
            .is_ok_and(|output| output.code == 0);
    (!may).then(|| "needs root, for a resolver of its own".into())
}

/// A script that is not trusted brings a plugin along: native code that is loaded when `http` is touched.
fn plugin_of_the_project() -> Outcome {
    let folder = folder()?;
    let at = |name: &str| folder.path().join(name);
    fs_err::create_dir_all(at(".assay/plugins"))
        .and_then(|()| fs_err::write(at("assay.toml"), ""))
        .and_then(|()| fs_err::write(at(".assay/plugins/http-99.0.0.so"), "no plugin"))
        .and_then(|()| fs_err::write(at("script.lua"), "print(type(http.get))"))
        .map_err(|error| error.to_string())?;
    let run = |options: &[&str]| {
        let mut command = command::command(&dist::binary("assay"), folder.path());
        command::run(command.args(options).arg("script.lua"))
    };
    let trusted = run(&[])?;
    if !trusted.stderr.contains("http-99.0.0.so") {
        return Err(format!("no project's plugin was found\n{}", trusted.stderr));
    }
    fs_err::write(at("policy.yaml"), "sandbox: true\n").map_err(|error| error.to_string())?;
    for option in ["--sandbox", "--policy=policy.yaml"] {
        let output = run(&[option])?.ok()?;
        if output.stdout != "function\n" {
            return Err(format!("{option}: {}", output.stdout));
        }
    }
    Ok(())
}

/// A name whose address is another host's when it is checked, and this machine's when it is used.
fn rebinding() -> Outcome {
    let scene = Scene::new()?;
    let address = "127.0.77.53:53";
    let resolver = std::net::UdpSocket::bind(address).map_err(|error| error.to_string())?;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = resolver.recv_from(&mut query) {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            let _ = resolver.send_to(&answer(&query[..length], turn), client);
        }
    });
    let conf = scene.folder.path().join("resolv.conf");
    let script = scene.folder.path().join("script.lua");
    let source = "for _ = 1, 8 do\n\
        local ok, err = pcall(http.get, 'http://rebind.example:' .. arg[1] .. '/', {timeout = 0.2})\n\
        assert(not ok)\nend\nprint('held')\n";
    fs_err::write(
        &conf,
        "nameserver 127.0.77.53\noptions attempts:1 timeout:1\n",
    )
    .and_then(|()| fs_err::write(&script, source))
    .map_err(|error| error.to_string())?;
    let assay: PathBuf = dist::binary("assay");
    let mut command = command::command(Path::new("unshare"), scene.folder.path());
    command
        .env("ASSAY_LIB_PATH", dist::root())
        .args([
            "-m",
            "sh",
            "-c",
            "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"",
            "sh",
        ])
        .arg(&conf)
        .arg(assay)
        .args(["--sandbox", "--allow-net=rebind.example"])
        .arg(&script)
        .arg(scene.canary.port.to_string());
    let output = command::run(&mut command)?.ok()?;
    if output.stdout != "held\n" {
        return Err(output.stdout);
    }
    match asked.load(Ordering::SeqCst) {
        0 => Err("nobody asked the resolver".into()),
        _ => scene.untouched(),
    }
}

/// RFC 1035: an A record, of a host in a network for documentation and of this machine in turns;
/// nothing for other types.
fn answer(query: &[u8], turn: usize) -> Vec<u8> {
    let question_end = query[12..]
        .iter()
        .position(|&byte| byte == 0)
        .map_or(query.len(), |at| (12 + at + 5).min(query.len()));
    let is_address = query[..question_end].ends_with(&[0, 1, 0, 1]);
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    reply.extend(&query[12..question_end]);
    if is_address {
        // A name that points at the question's, class IN, no time to live, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(match turn % 4 {
            0 | 1 => [192, 0, 2, 1],
            _ => [127, 0, 0, 1],
        });
    }
    reply
}
