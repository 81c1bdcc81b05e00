//! `http.serve` against clients that no HTTP library would be: slow, silent, gone, or no HTTP at all.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use assay_tests::dist;
use libtest_mimic::Trial;

use crate::{Outcome, case, contains, folder, scripts};

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
}, { host = "127.0.0.1", on_listen = print, header_timeout = 0.4, idle_timeout = 0.6, max_body = 1000 })
"#;

pub fn cases() -> Vec<Trial> {
    vec![
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
    ]
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
        let failed = |error: std::io::Error| error.to_string();
        let folder = folder()?;
        let script = folder.path().join("serve.lua");
        fs_err::write(&script, SCRIPT).map_err(failed)?;
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
