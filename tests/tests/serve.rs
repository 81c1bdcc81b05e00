//! `http.serve` against clients that no HTTP library would be: slow, silent, gone, or no HTTP at all.

mod websocket;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use assay_tests::dist;
use libtest_mimic::Trial;

use crate::{Outcome, case, case_if, contains, folder, scripts};

/// What the clients talk to. Lines on standard output say where it listens and what went on.
const SCRIPT: &str = r#"
local function noisy(name)
  return setmetatable({}, { __close = function() print(name .. " ended") end })
end
http.serve(0, {
  GET = {
    ["/"] = function() return { body = "hello" } end,
    ["/waits"] = function()
      sleep(0.9)
      return { body = "waited" }
    end,
    ["/long"] = function()
      local guard <close> = noisy("/long")
      print("/long began")
      sleep(60)
    end,
    ["/file"] = function() return { file = arg[0] } end,
    ["/endless"] = function()
      return {
        stream = function(write)
          local guard <close> = noisy("/endless")
          while true do
            write(("x"):rep(65536))
          end
        end,
      }
    end,
  },
  POST = { ["/"] = function(req) return { body = #req.body .. " bytes" } end },
}, { host = "127.0.0.1", on_listen = print, header_timeout = 0.4, idle_timeout = 0.6, max_body = 1000, max_connections = 4 })
"#;

pub fn cases() -> Vec<Trial> {
    let mut cases = vec![
        case("serve::a_head_must_end_in_time", || {
            // However busily its bytes drip.
            let server = Server::start()?;
            let mut client = server.client()?;
            let began = Instant::now();
            while client.0.write_all(b"GET / HTTP/1.1\r\nx-a: b\r\n").is_ok() {
                if began.elapsed() > Duration::from_secs(10) {
                    return Err("a head that never ends was read for 10 s".into());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }),
        case("serve::silence_ends_a_connection", || {
            let server = Server::start()?;
            for sent in [
                "",
                "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",
            ] {
                let mut client = server.client()?;
                client.send(sent)?;
                let got = client.rest()?;
                if sent.starts_with("GET") {
                    contains(&got, "\r\n\r\nhello")?;
                }
            }
            Ok(())
        }),
        case("serve::waiting_for_a_handler_is_not_silence", || {
            let server = Server::start()?;
            let mut client = server.client()?;
            client.send("GET /waits HTTP/1.1\r\nhost: a\r\n\r\n")?;
            contains(&client.rest()?, "\r\n\r\nwaited")
        }),
        case("serve::who_takes_no_response_is_let_go", || {
            let mut server = Server::start()?;
            let mut client = server.client()?;
            client.send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n")?;
            server.says("/endless ended")
        }),
        case("serve::a_client_that_goes_cancels_its_handler", || {
            let mut server = Server::start()?;
            let mut client = server.client()?;
            client.send("GET /long HTTP/1.1\r\nhost: a\r\n\r\n")?;
            server.says("/long began")?;
            drop(client);
            server.says("/long ended")
        }),
        case("serve::pipelined_requests_are_answered_in_order", || {
            let server = Server::start()?;
            let mut client = server.client()?;
            client.send(
                "GET / HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc\
                 GET /no HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            )?;
            let got = client.rest()?;
            let bodies: Vec<&str> = got
                .split("\r\n\r\n")
                .skip(1)
                .map(|rest| rest.split("HTTP/1.1").next().unwrap_or_default())
                .collect();
            match bodies[..] {
                ["hello", "3 bytes", "not found\n"] => Ok(()),
                _ => Err(got),
            }
        }),
        case("serve::too_much_is_refused", || {
            let server = Server::start()?;
            let head = "POST / HTTP/1.1\r\nhost: a\r\n";
            // Announced, to a client that asks first: it hears so before it sends.
            let mut client = server.client()?;
            client.send(&format!(
                "{head}expect: 100-continue\r\ncontent-length: 1001\r\n\r\n"
            ))?;
            let got = client.rest()?;
            contains(&got, "HTTP/1.1 413 ")?;
            if got.contains("100 Continue") {
                return Err(got);
            }
            // Announced or not, to one that just sends.
            for body in [
                format!("content-length: 1001\r\n\r\n{}", "x".repeat(1001)),
                format!(
                    "transfer-encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
                    "x".repeat(1001)
                ),
            ] {
                let mut client = server.client()?;
                client.send(&format!("{head}{body}"))?;
                contains(&client.rest()?, "HTTP/1.1 413 ")?;
            }
            Ok(())
        }),
        case("serve::what_is_no_http_is_refused", || {
            let server = Server::start()?;
            for sent in [
                "\x16\x03\x01\x02\r\n\r\n",
                "GET\r\n\r\n",
                "GET / HTTP/9.9\r\n\r\n",
            ] {
                let mut client = server.client()?;
                client.send(sent)?;
                let got = client.rest()?;
                if !got.is_empty() {
                    contains(&got, "HTTP/1.1 400 ")?;
                }
            }
            let mut client = server.client()?;
            client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
            contains(&client.rest()?, "hello")
        }),
        case("serve::what_proxies_may_read_otherwise_is_refused", || {
            let server = Server::start()?;
            for (sent, wanted) in [
                // Both lengths: the chunks count, and nothing that follows is read as a request.
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
                     0\r\n\r\nGET /file HTTP/1.1\r\nhost: a\r\n\r\n",
                    "0 bytes",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n\
                     0\r\n\r\nGET /file HTTP/1.1\r\nhost: a\r\n\r\n",
                    "0 bytes",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                     fffffffffffffffff\r\na\r\n0\r\n\r\n",
                    " 400 ",
                ),
                (
                    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
                    " 400 ",
                ),
                ("GET / HTTP/1.1\r\n\r\n", " 400 "),
                ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", " 400 "),
                ("GET / HTTP/1.1\r\nhost: a\r\n x: folded\r\n\r\n", " 400 "),
                ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", " 400 "),
                ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", " 501 "),
            ] {
                let mut client = server.client()?;
                client.send(sent)?;
                let got = client.rest()?;
                contains(&got, wanted).map_err(|error| format!("{sent:?}: {error}"))?;
                if got.matches("HTTP/1.1").count() != 1 {
                    return Err(format!("{sent:?} was answered with {got}"));
                }
            }
            Ok(())
        }),
        case("serve::too_many_headers_are_refused", || {
            let server = Server::start()?;
            for header in ["x", &"x".repeat(70_000)] {
                let mut client = server.client()?;
                let headers =
                    format!("{header}: y\r\n").repeat(if header == "x" { 200 } else { 1 });
                // Refused while it is still being sent.
                let _ = client.send(&format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n"));
                contains(&client.rest()?, "HTTP/1.1 431 ")?;
            }
            Ok(())
        }),
        case("serve::leave_to_send_is_given", || {
            let server = Server::start()?;
            let mut client = server.client()?;
            client.send(
                "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n",
            )?;
            client.until("HTTP/1.1 100 Continue\r\n\r\n")?;
            client.send("abc")?;
            contains(&client.rest()?, "\r\n\r\n3 bytes")
        }),
        case("serve::an_idle_connection_makes_room_for_a_new_one", || {
            // `max_connections` is 4: a fifth is served since the first has nothing to do.
            let server = Server::start()?;
            let mut clients = Vec::new();
            for _ in 0..4 {
                let mut client = server.client()?;
                client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")?;
                client.until("hello")?;
                clients.push(client);
            }
            let mut fifth = server.client()?;
            fifth.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
            contains(&fifth.rest()?, "hello")?;
            // The one that was idle longest is the one that ended.
            contains(&format!("{:?}", clients[0].rest()?), "\"\"")
        }),
        case("serve::connections_beyond_the_limit_wait", || {
            let mut server = Server::start()?;
            let mut clients = Vec::new();
            for _ in 0..4 {
                let mut client = server.client()?;
                client.send("GET /long HTTP/1.1\r\nhost: a\r\n\r\n")?;
                server.says("/long began")?;
                clients.push(client);
            }
            let mut fifth = server.client()?;
            fifth.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
            drop(clients.pop());
            server.says("/long ended")?;
            contains(&fifth.rest()?, "hello")
        }),
        case_if(
            "serve::curl",
            || missing("curl"),
            || {
                let server = Server::start()?;
                let curl = |args: &[&str], path: &str| {
                    let url = format!("http://{}{path}", server.address);
                    let output = Command::new("curl")
                        .args(["-sS", "-i"])
                        .args(args)
                        .arg(url)
                        .output();
                    output
                        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
                        .map_err(|error| error.to_string())
                };
                contains(&curl(&[], "/")?, "\r\n\r\nhello")?;
                contains(&curl(&["-I"], "/")?, "content-length: 5\r\n")?;
                contains(&curl(&["-X", "PUT"], "/")?, "allow: GET, HEAD, POST\r\n")?;
                contains(&curl(&["-r", "0-5"], "/file")?, "\r\n\r\n\nlocal")?;
                contains(&curl(&["-d", "abc"], "/")?, "3 bytes")?;
                contains(
                    &curl(&["-d", "abc", "-H", "transfer-encoding: chunked"], "/")?,
                    "3 bytes",
                )?;
                contains(&curl(&["--http1.0"], "/")?, "hello")
            },
        ),
        case("serve::memory_stays", memory_stays),
    ];
    cases.extend(websocket::cases());
    cases
}

/// 100,000 requests of every kind leave as much memory in use as the first 20,000 did.
fn memory_stays() -> Outcome {
    let server = Server::run(
        r#"
        http.serve(0, {
          GET = {
            ["/"] = function() return { body = "hello" } end,
            ["/file"] = function() return { file = arg[0] } end,
            ["/users/:id"] = function(req) return { json = { id = req.path_params.id, q = req.params } } end,
            ["/stream"] = function()
              return {
                stream = function(write)
                  write("a")
                  sleep(0)
                  write("b")
                end,
              }
            end,
            ["/ws"] = function() return { ws = function(conn) conn:send(conn:recv()) end } end,
          },
          POST = { ["/"] = function(req) return { json = req:json() } end },
        }, { host = "127.0.0.1", on_listen = print })
        "#,
    )?;
    const EACH: usize = 500;
    let body = r#"{"a":[1,2.5,"three",true],"b":{"c":"d"}}"#;
    let post = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let requests: [&str; 5] = [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /users/7?a=b&c=%20d HTTP/1.1\r\nhost: a\r\ncookie: x=y\r\n\r\n",
        &post,
        "GET /file HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /stream HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    // As many at once as a client may send before it reads.
    let batch: String = requests.iter().cycle().take(EACH - 1).copied().collect();
    let batch = format!("{batch}GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let ask = |batches: usize| -> Outcome {
        for _ in 0..batches {
            let mut client = server.client()?;
            client.send(&batch)?;
            let answers = client.rest()?.matches("HTTP/1.1 200 ").count();
            if answers != EACH - 1 {
                return Err(format!("{answers} answers to {} requests", EACH - 1));
            }
            let mut client = server.client()?;
            client.upgrade("/ws", "")?;
            client.frame(0x81, b"hello")?;
            client.expect(0x81, b"hello")?;
            // One that goes without a word.
            server
                .client()?
                .send("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n")?;
        }
        Ok(())
    };
    ask(20_000 / EACH)?;
    let before = server.resident()?;
    ask(100_000 / EACH)?;
    let after = server.resident()?;
    if after as f64 > before as f64 * 1.05 {
        return Err(format!("{before} KB became {after} KB"));
    }
    Ok(())
}

/// Why a case cannot run, if the program is not there.
fn missing(program: &str) -> Option<String> {
    let found = Command::new(program).arg("--version").output().is_ok();
    (!found).then(|| format!("{program} is missing"))
}

/// A running server; it ends with this.
struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self, String> {
        Self::run(SCRIPT)
    }

    /// A script whose first line of output is where it listens.
    fn run(source: &str) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        let folder = folder()?;
        let script = folder.path().join("serve.lua");
        fs_err::write(&script, source).map_err(failed)?;
        let mut child = scripts::assay("assay", folder.path(), &[dist::root()])
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut server = Self {
            child,
            lines,
            address: String::new(),
            _folder: folder,
        };
        server.address = server.line()?;
        Ok(server)
    }

    fn client(&self) -> Result<Client, String> {
        let stream = TcpStream::connect(&self.address).map_err(|error| error.to_string())?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .map_err(|error| error.to_string())?;
        Ok(Client(stream))
    }

    /// KB of memory in use.
    fn resident(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .ok_or_else(|| format!("no VmRSS in {status}"))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.lines
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        Ok(line.trim_end().to_owned())
    }

    fn says(&mut self, wanted: &str) -> Outcome {
        let line = self.line()?;
        if line == wanted {
            Ok(())
        } else {
            Err(format!("expected {wanted:?}, got {line:?}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Client(TcpStream);

impl Client {
    fn send(&mut self, text: &str) -> Outcome {
        self.0
            .write_all(text.as_bytes())
            .map_err(|error| error.to_string())
    }

    /// Reads until something came, with it.
    fn until(&mut self, wanted: &str) -> Result<String, String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(wanted.as_bytes()) {
            let mut byte = [0];
            self.0
                .read_exact(&mut byte)
                .map_err(|error| format!("{error}, after {:?}", String::from_utf8_lossy(&bytes)))?;
            bytes.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Everything until the server closes the connection, which it must.
    fn rest(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(format!(
                "{error}, after {:?}",
                String::from_utf8_lossy(&bytes)
            )),
            _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}
