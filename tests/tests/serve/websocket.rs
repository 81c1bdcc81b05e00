//! WebSockets: what RFC 6455 asks of a server, frame by frame, and a client that others wrote.

use std::io::{Read, Write};
use std::process::Command;

use libtest_mimic::Trial;

use super::{Client, Server};
use crate::{Outcome, case, case_if, contains, python, python_lacks};

/// Echoes, and says on standard output how connections end.
const SCRIPT: &str = r#"
local function echo(conn)
  print("open " .. tostring(conn.subprotocol))
  while true do
    local ok, message = pcall(conn.recv, conn)
    if not ok then
      print("lost: " .. message.kind .. ": " .. message.message:gsub("^http.WebSocket:recv: ", ""))
      return
    elseif not message then
      print("closed " .. select(2, pcall(conn.send, conn, "late")).kind)
      return
    elseif utf8.len(message) then
      conn:send(message)
    else
      conn:send_binary(message)
    end
  end
end
http.serve(0, {
  GET = {
    ["/"] = function() return { ws = echo, subprotocols = { "v2", "v1" } } end,
    ["/fails"] = function() return { ws = function() error("the secret") end } end,
    ["/returns"] = function() return { ws = function(conn) conn:send("bye") end } end,
    ["/closes"] = function()
      return {
        ws = function(conn)
          for _, bad in ipairs({ 999, 1005, 1006, 2000, 65535 }) do
            assert.eq(select(2, pcall(conn.close, conn, bad)).kind, "argument", bad)
          end
          assert.eq(select(2, pcall(conn.close, conn, 1000, ("x"):rep(124))).kind, "argument")
          assert.eq(select(2, pcall(conn.send, conn, "\xff")).kind, "argument")
          assert.eq(select(2, pcall(conn.recv, conn, 0)).kind, "timeout")
          assert.eq(select(2, pcall(conn.recv, conn, 0.01)).kind, "timeout")
          conn:close(4001, "enough")
          assert.eq(conn:recv(), nil)
          conn:close()
          print("closed it")
        end,
      }
    end,
    ["/flood"] = function()
      return {
        ws = function(conn)
          local ok, err = pcall(function()
            while true do
              conn:send_binary(("x"):rep(65536))
            end
          end)
          print(err.kind .. ": " .. err.message:gsub("^http.WebSocket:send_binary: ", ""))
        end,
      }
    end,
  },
  POST = { ["/"] = function() return { ws = echo } end },
}, { host = "127.0.0.1", on_listen = print, header_timeout = 0.4, idle_timeout = 0.6, max_body = 1000 })
"#;

pub fn cases() -> Vec<Trial> {
    vec![
        case("serve::websocket::messages", || {
            let (mut server, mut client) = open("/")?;
            server.says("open nil")?;
            let long = "0123456789".repeat(50);
            for text in ["", "hello", "äöü€😀", &long[..125], &long[..126], &long] {
                client.frame(TEXT | FIN, text.as_bytes())?;
                client.expect(TEXT | FIN, text.as_bytes())?;
            }
            client.frame(BINARY | FIN, b"\0\xff\xfe")?;
            client.expect(BINARY | FIN, b"\0\xff\xfe")?;
            // In parts, with a ping between them; a character may be cut in two.
            client.frame(TEXT, b"a\xe2\x82")?;
            client.frame(PING | FIN, b"are you there")?;
            client.expect(PONG | FIN, b"are you there")?;
            client.frame(CONTINUATION, b"")?;
            client.frame(CONTINUATION | FIN, b"\xacb")?;
            client.expect(TEXT | FIN, "a€b".as_bytes())?;
            // Nobody asked for this one.
            client.frame(PONG | FIN, b"unasked")?;
            // All at once, byte by byte.
            let mut bytes = Vec::new();
            for text in ["one", "two", "three"] {
                bytes.extend(frame(TEXT | FIN, text.as_bytes()));
            }
            for byte in bytes {
                client.0.write_all(&[byte]).map_err(|e| e.to_string())?;
            }
            for text in ["one", "two", "three"] {
                client.expect(TEXT | FIN, text.as_bytes())?;
            }
            client.close(1000)?;
            client.expect_close(1000)?;
            server.says("closed closed")
        }),
        case("serve::websocket::closing_is_answered_in_kind", || {
            for (payload, answer) in [
                (&b""[..], &b""[..]),
                (b"\x03\xe8", b"\x03\xe8"),
                (b"\x03\xe9going", b"\x03\xe9going"),
                (b"\x0f\xa0", b"\x0f\xa0"),
                // Codes that may not be sent.
                (b"\x03\xee", b"\x03\xea"),
                (b"\x00\x01", b"\x03\xea"),
            ] {
                let (_server, mut client) = open("/")?;
                client.frame(CLOSE | FIN, payload)?;
                let (first, got) = client.next()?;
                if first != CLOSE | FIN || !got.starts_with(answer) {
                    return Err(format!("{payload:?} was answered with {first:x} {got:?}"));
                }
                client.end()?;
            }
            Ok(())
        }),
        case(
            "serve::websocket::what_the_protocol_forbids_ends_it",
            || {
                let too_long = [0; 126];
                let forbidden: [(&str, Vec<u8>, u16); 16] = [
                    ("a reserved bit", frame(TEXT | FIN | 0x40, b"a"), 1002),
                    ("another", frame(TEXT | FIN | 0x10, b"a"), 1002),
                    ("a reserved kind", frame(0x3 | FIN, b"a"), 1002),
                    ("a reserved control", frame(0xb | FIN, b""), 1002),
                    ("a long ping", frame(PING | FIN, &too_long), 1002),
                    ("a ping in parts", frame(PING, b""), 1002),
                    ("a long close", frame(CLOSE | FIN, &too_long), 1002),
                    (
                        "a close with half a code",
                        frame(CLOSE | FIN, b"\x03"),
                        1002,
                    ),
                    (
                        "an end without a start",
                        frame(CONTINUATION | FIN, b"a"),
                        1002,
                    ),
                    (
                        "a start without an end",
                        [frame(TEXT, b"a"), frame(TEXT | FIN, b"b")].concat(),
                        1002,
                    ),
                    ("no mask", vec![TEXT | FIN, 1, b'a'], 1002),
                    ("a text that is none", frame(TEXT | FIN, b"\xff"), 1007),
                    (
                        "a text that ends in a character",
                        frame(TEXT | FIN, b"\xe2\x82"),
                        1007,
                    ),
                    (
                        "a text whose second part is none",
                        [frame(TEXT, b"a"), frame(CONTINUATION | FIN, b"\xc0\x80")].concat(),
                        1007,
                    ),
                    ("too much", frame(BINARY | FIN, &[0; 1001]), 1009),
                    (
                        "too much in parts",
                        [
                            frame(BINARY, &[0; 600]),
                            frame(CONTINUATION | FIN, &[0; 600]),
                        ]
                        .concat(),
                        1009,
                    ),
                ];
                for (what, bytes, code) in forbidden {
                    let (mut server, mut client) = open("/")?;
                    server.says("open nil")?;
                    client.0.write_all(&bytes).map_err(|e| e.to_string())?;
                    client
                        .expect_close(code)
                        .map_err(|error| format!("{what}: {error}"))?;
                    contains(&server.line()?, "lost: closed: the client ")?;
                }
                // A frame that only claims to be large is refused before it comes.
                let (_server, mut client) = open("/")?;
                let huge = [
                    BINARY | FIN,
                    0xff,
                    0x7f,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0,
                    0,
                    0,
                    0,
                ];
                client.0.write_all(&huge).map_err(|e| e.to_string())?;
                client.expect_close(1009)
            },
        ),
        case("serve::websocket::requests_that_are_none", || {
            let server = Server::run(SCRIPT)?;
            let good = "host: a\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n\
                        sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
            for (request, headers, wanted) in [
                ("GET / HTTP/1.1", good.to_owned(), "101 Switching Protocols"),
                (
                    "GET / HTTP/1.1",
                    "host: a\r\n".into(),
                    "426 Upgrade Required",
                ),
                (
                    "GET / HTTP/1.1",
                    good.replace("websocket\r\n", "h2c\r\n"),
                    "426 ",
                ),
                ("GET / HTTP/1.1", good.replace("Upgrade", "close"), "426 "),
                (
                    "GET / HTTP/1.1",
                    good.replace("13", "8"),
                    "sec-websocket-version: 13",
                ),
                (
                    "GET / HTTP/1.1",
                    good.replace("AAAAAAAA", ""),
                    "400 Bad Request",
                ),
                (
                    "GET / HTTP/1.1",
                    good.replace("sec-websocket-key", "x"),
                    "400 ",
                ),
                ("GET / HTTP/1.1", good.replace("==", "!!"), "400 "),
                ("POST / HTTP/1.1", good.to_owned(), "400 "),
                ("GET / HTTP/1.0", good.to_owned(), "400 "),
            ] {
                let mut client = server.client()?;
                client.send(&format!("{request}\r\n{headers}\r\n"))?;
                contains(&client.until("\r\n\r\n")?, wanted)?;
            }
            Ok(())
        }),
        case("serve::websocket::subprotocols", || {
            for (offered, agreed) in [
                ("v1", "v1"),
                ("v1, v2", "v2"),
                ("v3", "nil"),
                ("v11,,v1", "v1"),
            ] {
                let mut server = Server::run(SCRIPT)?;
                let mut client = server.client()?;
                let head =
                    client.upgrade("/", &format!("sec-websocket-protocol: {offered}\r\n"))?;
                server.says(&format!("open {agreed}"))?;
                let header = format!("sec-websocket-protocol: {agreed}\r\n");
                if (agreed == "nil") == head.contains("sec-websocket-protocol")
                    || agreed != "nil" && !head.contains(&header)
                {
                    return Err(head);
                }
            }
            Ok(())
        }),
        case("serve::websocket::the_function_ends_it", || {
            let (_server, mut client) = open("/returns")?;
            client.expect(TEXT | FIN, b"bye")?;
            client.expect_close(1000)?;
            // What it raised is for the log, not for the client.
            let (_server, mut client) = open("/fails")?;
            let (first, payload) = client.next()?;
            if (first, &*payload) != (CLOSE | FIN, b"\x03\xf3") {
                return Err(format!("{first:x} {payload:?}"));
            }
            let (mut server, mut client) = open("/closes")?;
            let (first, payload) = client.next()?;
            if (first, &*payload) != (CLOSE | FIN, b"\x0f\xa1enough") {
                return Err(format!("{first:x} {payload:?}"));
            }
            // What crosses with it is dropped.
            client.frame(TEXT | FIN, b"crossing")?;
            client.close(4001)?;
            client.end()?;
            server.says("closed it")
        }),
        case("serve::websocket::who_does_not_close_is_let_go", || {
            let (_server, mut client) = open("/returns")?;
            client.expect(TEXT | FIN, b"bye")?;
            client.expect_close(1000)?;
            client.end()
        }),
        case("serve::websocket::who_vanishes_is_lost", || {
            let (mut server, client) = open("/")?;
            server.says("open nil")?;
            drop(client);
            server.says("lost: closed: the connection was lost")
        }),
        case("serve::websocket::silence_is_asked_about", || {
            let (mut server, mut client) = open("/")?;
            server.says("open nil")?;
            for _ in 0..3 {
                client.expect(PING | FIN, b"")?;
                client.frame(PONG | FIN, b"")?;
            }
            client.frame(TEXT | FIN, b"still here")?;
            client.expect(TEXT | FIN, b"still here")?;
            client.expect(PING | FIN, b"")?;
            client.end()?;
            server.says("lost: closed: the client did not answer in time")
        }),
        case("serve::websocket::who_takes_nothing_is_let_go", || {
            let (mut server, _client) = open("/flood")?;
            server.says("closed: the client did not answer in time")
        }),
        case("serve::websocket::draining_closes", || {
            let (mut server, mut client) = open("/")?;
            server.says("open nil")?;
            let pid = server.child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &pid]).status();
            sent.map_err(|error| error.to_string())?;
            client.expect_close(1001)?;
            client.close(1001)?;
            server.says("closed closed")?;
            match server.child.wait().map_err(|e| e.to_string())?.code() {
                Some(143) => Ok(()),
                other => Err(format!("exit code {other:?}")),
            }
        }),
        case_if(
            "serve::websocket::python",
            || python_lacks("websockets"),
            || {
                let server = Server::run(SCRIPT)?;
                let output = Command::new(python())
                    .args(["-c", PYTHON, &server.address])
                    .output()
                    .map_err(|error| error.to_string())?;
                contains(
                    &format!(
                        "{}{}",
                        String::from_utf8_lossy(&output.stdout),
                        String::from_utf8_lossy(&output.stderr)
                    ),
                    "all is well",
                )
            },
        ),
    ]
}

/// What the library `websockets` of Python has to say.
const PYTHON: &str = r#"
import asyncio, sys, websockets
async def main():
    url = "ws://" + sys.argv[1]
    async with websockets.connect(url + "/", subprotocols=["v1"], compression="deflate") as ws:
        assert ws.subprotocol == "v1"
        for message in ["", "text", "x" * 1000, b"\x00\xff", ["in ", "three ", "parts"]]:
            await ws.send(message)
            got = await ws.recv()
            assert got == ("".join(message) if isinstance(message, list) else message), got
        await (await ws.ping())
    assert ws.close_code == 1000
    async with websockets.connect(url + "/closes") as ws:
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "enough")
    async with asyncio.timeout(10):
        many = [websockets.connect(url + "/") for _ in range(50)]
        many = await asyncio.gather(*many)
        for number, ws in enumerate(many):
            await ws.send(str(number))
        assert await asyncio.gather(*(ws.recv() for ws in many)) == [str(n) for n in range(50)]
        await asyncio.gather(*(ws.close() for ws in many))
    print("all is well")
asyncio.run(main())
"#;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

fn open(path: &str) -> Result<(Server, Client), String> {
    let server = Server::run(SCRIPT)?;
    let mut client = server.client()?;
    client.upgrade(path, "")?;
    Ok((server, client))
}

/// A frame as clients send it: masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x5a, 0x0f, 0xc3, 0x99];
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => bytes.push(0x80 | length as u8),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => unreachable!("no test sends as much"),
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

impl Client {
    /// Upgrades; the response's head. The key and its answer are those of RFC 6455.
    pub fn upgrade(&mut self, path: &str, headers: &str) -> Result<String, String> {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        ))?;
        let head = self.until("\r\n\r\n")?;
        contains(&head, "HTTP/1.1 101 Switching Protocols\r\n")?;
        contains(
            &head,
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        )?;
        Ok(head)
    }

    pub fn frame(&mut self, first: u8, payload: &[u8]) -> Outcome {
        self.0
            .write_all(&frame(first, payload))
            .map_err(|error| error.to_string())
    }

    fn close(&mut self, code: u16) -> Outcome {
        self.frame(CLOSE | FIN, &code.to_be_bytes())
    }

    /// The next frame: its first byte and its payload.
    fn next(&mut self) -> Result<(u8, Vec<u8>), String> {
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            self.0
                .read_exact(&mut bytes)
                .map(|()| bytes)
                .map_err(|error| error.to_string())
        };
        let head = read(2)?;
        let length = match head[1] {
            length if length < 126 => length.into(),
            126 => {
                let bytes = read(2)?;
                usize::from(bytes[0]) << 8 | usize::from(bytes[1])
            }
            other => return Err(format!("a frame of length {other}")),
        };
        Ok((head[0], read(length)?))
    }

    pub fn expect(&mut self, first: u8, payload: &[u8]) -> Outcome {
        let got = self.next()?;
        if got == (first, payload.to_vec()) {
            return Ok(());
        }
        Err(format!(
            "expected {first:x} {:?}, got {:x} {:?}",
            String::from_utf8_lossy(payload),
            got.0,
            String::from_utf8_lossy(&got.1)
        ))
    }

    /// A close frame with this code.
    fn expect_close(&mut self, code: u16) -> Outcome {
        let (first, payload) = self.next()?;
        if first != CLOSE | FIN || !payload.starts_with(&code.to_be_bytes()) {
            return Err(format!(
                "expected a close with {code}, got {first:x} {payload:?}"
            ));
        }
        Ok(())
    }

    /// Nothing more comes.
    fn end(&mut self) -> Outcome {
        match self.rest()? {
            rest if rest.is_empty() => Ok(()),
            rest => Err(format!("there came {rest:?}")),
        }
    }
}
