//! `http.serve` beside other servers: the same answers, the same cores, in turn.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Failure, median, row};

/// Rounds that count; one before them warms up what compiles as it goes.
const ROUNDS: usize = 3;

/// A server that can be started, or why not.
struct Contestant {
    name: &'static str,
    command: Result<Command, String>,
    port: u16,
}

/// What is asked for.
struct Question {
    name: &'static str,
    path: &'static str,
    /// A script of wrk.
    script: Option<&'static str>,
}

const HELLO: Question = Question {
    name: "hello",
    path: "/",
    script: None,
};
const ECHO: Question = Question {
    name: "JSON echo, 300 bytes parsed and encoded",
    path: "/echo",
    script: Some("echo.lua"),
};
const QUERY: Question = Question {
    name: "a row of SQLite in memory",
    path: "/query",
    script: None,
};

/// Requests per second, and µs of CPU for each, by contestant.
type Results = HashMap<&'static str, Vec<(f64, f64)>>;

pub fn table(dist: &Path) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("assay-bench-serve-{}", std::process::id()));
    fs_err::create_dir_all(&folder)?;
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers");
    let result = Bench {
        dist,
        servers,
        folder: folder.clone(),
    }
    .run();
    fs_err::remove_dir_all(folder)?;
    result
}

struct Bench<'a> {
    dist: &'a Path,
    servers: PathBuf,
    folder: PathBuf,
}

impl Bench<'_> {
    fn run(&self) -> Result<(), Failure> {
        let one = |question| {
            let mut contestants = vec![
                self.assay("assay", 1)?,
                self.assay("assay-static", 1)?,
                self.axum()?,
                self.nginx()?,
                self.node(1)?,
                self.deno()?,
            ];
            self.compare(question, &mut contestants, "one core", &["0"])
        };
        let plugin_goal = |other: &str| match other {
            "assay-static" => "≥ 0.9",
            "axum" => "",
            _ => "> 1",
        };
        for question in [&HELLO, &ECHO] {
            one(question)?.print(question, plugin_goal);
        }
        let mut contestants = vec![self.assay("assay", 1)?, self.deno()?];
        self.compare(&QUERY, &mut contestants, "one core", &["0"])?
            .print(&QUERY, plugin_goal);
        let mut contestants = vec![self.assay("assay", 2)?, self.node(2)?];
        self.compare(
            &HELLO,
            &mut contestants,
            "two workers on two cores, shared with wrk",
            &["0,1"],
        )?
        .print(&HELLO, plugin_goal);
        Ok(())
    }

    fn assay(&self, binary: &'static str, workers: u32) -> Result<Contestant, Failure> {
        let program = self.dist.join("bin").join(binary);
        let found = program.exists();
        self.contestant(binary, program, found, "make static", |command, port| {
            command
                .arg(self.servers.join("assay.lua"))
                .args([port.to_string(), workers.to_string()])
                .env("ASSAY_LIB_PATH", self.dist.join("lib/assay"));
            Ok(())
        })
    }

    fn axum(&self) -> Result<Contestant, Failure> {
        let program = self.dist.join("bench/assay-bench-axum");
        let found = program.exists();
        self.contestant(
            "axum",
            program,
            found,
            "it was not built",
            |command, port| {
                command.arg(port.to_string());
                Ok(())
            },
        )
    }

    fn nginx(&self) -> Result<Contestant, Failure> {
        let found = Path::new("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists();
        let missing = "apt-get install nginx-light libnginx-mod-http-lua lua-cjson";
        self.contestant(
            "nginx with LuaJIT",
            "nginx".into(),
            found,
            missing,
            |command, port| {
                let source = fs_err::read_to_string(self.servers.join("nginx.conf"))?;
                let source = source
                    .replace("PORT", &port.to_string())
                    .replace("FOLDER", &self.folder.to_string_lossy());
                let file = self.folder.join(format!("nginx-{port}.conf"));
                fs_err::write(&file, source)?;
                command.arg("-c").arg(file);
                Ok(())
            },
        )
    }

    fn node(&self, workers: u32) -> Result<Contestant, Failure> {
        let found = works("node");
        self.contestant(
            "Node's http",
            "node".into(),
            found,
            "install node",
            |command, port| {
                command
                    .arg(self.servers.join("node.js"))
                    .args([port.to_string(), workers.to_string()]);
                Ok(())
            },
        )
    }

    fn deno(&self) -> Result<Contestant, Failure> {
        let program = std::env::var("DENO").unwrap_or_else(|_| "deno".into());
        let found = works(&program);
        self.contestant(
            "Deno",
            program.into(),
            found,
            "pip install deno",
            |command, port| {
                command
                    .args(["run", "--quiet", "--no-config", "--no-lock", "--allow-all"])
                    .arg(self.servers.join("deno.js"))
                    .arg(port.to_string());
                Ok(())
            },
        )
    }

    fn contestant(
        &self,
        name: &'static str,
        program: PathBuf,
        found: bool,
        missing: &str,
        arguments: impl FnOnce(&mut Command, u16) -> Result<(), Failure>,
    ) -> Result<Contestant, Failure> {
        let port = port()?;
        let mut command = Command::new(program);
        arguments(&mut command, port)?;
        Ok(Contestant {
            name,
            command: found.then_some(command).ok_or_else(|| missing.into()),
            port,
        })
    }

    /// Asks all of them in turn, round by round, while the others wait.
    fn compare(
        &self,
        question: &Question,
        contestants: &mut [Contestant],
        how: &'static str,
        cores: &[&str],
    ) -> Result<Compared, Failure> {
        let mut running = Vec::new();
        let mut missing = Vec::new();
        for contestant in contestants {
            match &mut contestant.command {
                Ok(command) => {
                    let mut server = Server::start(command, contestant.port, cores[0])?;
                    if server.answers(question)? {
                        running.push((contestant.name, server));
                    } else {
                        missing.push((contestant.name, "it has no answer to this".to_owned()));
                    }
                }
                Err(reason) => missing.push((contestant.name, reason.clone())),
            }
        }
        let script = question.script.map(|script| self.servers.join(script));
        let mut results = Results::new();
        for round in 0..=ROUNDS {
            for (name, server) in &running {
                let result = server.load(question, script.as_deref())?;
                if round > 0 {
                    results.entry(name).or_default().push(result);
                }
            }
        }
        Ok(Compared {
            how,
            order: running.iter().map(|(name, _)| *name).collect(),
            results,
            missing,
        })
    }
}

/// The results of one question.
struct Compared {
    how: &'static str,
    order: Vec<&'static str>,
    results: Results,
    missing: Vec<(&'static str, String)>,
}

impl Compared {
    fn print(&self, question: &Question, goal: impl Fn(&str) -> &'static str) {
        let what = |other| {
            format!(
                "`http.serve`, {}, {}, beside {other}",
                question.name, self.how
            )
        };
        let shown = |name| {
            let of = |part: fn(&(f64, f64)) -> f64| {
                median(self.results[name].iter().map(part).collect())
            };
            format!("{:.0}/s, {:.1} µs CPU each", of(|r| r.0), of(|r| r.1))
        };
        for other in self.order.iter().filter(|name| **name != "assay") {
            let Some(ours) = self.results.get("assay") else {
                row(&what(other), "–".into(), "–".into(), None, "");
                continue;
            };
            let rounds = ours.iter().zip(&self.results[other]);
            let ratio = median(rounds.map(|(ours, theirs)| ours.0 / theirs.0).collect());
            row(
                &what(other),
                shown("assay"),
                shown(other),
                Some(ratio),
                goal(other),
            );
        }
        for (name, reason) in &self.missing {
            row(
                &what(name),
                "–".into(),
                format!("did not run: {reason}"),
                None,
                "",
            );
        }
    }
}

/// A running server; it ends with this.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(command: &Command, port: u16, cores: &str) -> Result<Self, Failure> {
        let mut pinned = Command::new("taskset");
        pinned
            .args(["-c", &available(cores)])
            .arg(command.get_program());
        pinned.args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                pinned.env(name, value);
            }
        }
        let child = pinned.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Self { child, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.elapsed() > Duration::from_secs(30) || server.child.try_wait()?.is_some() {
                return Err(format!("{command:?} did not start").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Whether the question has an answer here at all.
    fn answers(&mut self, question: &Question) -> Result<bool, Failure> {
        use std::io::{Read, Write};
        if question.script.is_some() {
            return Ok(true);
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(
            stream,
            "GET {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            question.path
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }

    /// Requests per second and µs of the server's CPU for each, by `wrk` on 32 connections.
    fn load(&self, question: &Question, script: Option<&Path>) -> Result<(f64, f64), Failure> {
        let before = tree_cpu(self.child.id())?;
        let mut wrk = Command::new("taskset");
        wrk.args(["-c", &available("1")])
            .args(["wrk", "-t1", "-c32", "-d3s"]);
        if let Some(script) = script {
            wrk.arg("-s").arg(script);
        }
        let output = wrk
            .arg(format!("http://127.0.0.1:{}{}", self.port, question.path))
            .output()?;
        let cost = tree_cpu(self.child.id())? - before;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // On a busy machine some answers come late; none may be lost.
        let lost = text.contains("Socket errors") && !text.contains("connect 0, read 0, write 0");
        if text.contains("Non-2xx") || lost {
            return Err(format!("wrk saw failures: {text}").into());
        }
        let number = |text: Option<&str>| -> Result<f64, Failure> {
            Ok(text.ok_or("wrk: no result")?.trim().parse()?)
        };
        let rate = number(
            text.lines()
                .find_map(|line| line.strip_prefix("Requests/sec:")),
        )?;
        let count = number(
            text.lines()
                .find_map(|line| Some(line.trim().split_once(" requests in ")?.0)),
        )?;
        Ok((rate, cost * 1e6 / count))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Politely, so that a server's children end too.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
fn port() -> Result<u16, Failure> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn works(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// These cores, or all there are where there is but one.
fn available(cores: &str) -> String {
    match std::thread::available_parallelism() {
        Ok(count) if count.get() > 1 => cores.into(),
        _ => "0".into(),
    }
}

/// Seconds of user and system time of a process and its children.
fn tree_cpu(id: u32) -> Result<f64, Failure> {
    let mut ticks = 0.0;
    for entry in fs_err::read_dir("/proc")? {
        // Processes come and go while they are counted.
        let Ok(stat) = fs_err::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        let Some((pid, rest)) = stat.split_once(" (") else {
            continue;
        };
        let fields: Vec<&str> = rest
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        if pid == id.to_string() || fields.get(1) == Some(&id.to_string().as_str()) {
            ticks += fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        }
    }
    // SAFETY: a query.
    Ok(ticks / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64)
}
