//! A server of a few lines: what it got is kept as text, what it answers is written by the test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub struct Mock {
    pub port: u16,
    requests: Receiver<String>,
}

impl Mock {
    /// Answers the requests in this order, closing the connection after each.
    pub fn new<T: Into<Vec<u8>>, const N: usize>(answers: [T; N]) -> Self {
        let answers = answers.map(Into::into);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = sender.send(read(&mut stream));
                // A client that has seen enough hangs up.
                let _ = stream.write_all(&answer);
            }
        });
        Self { port, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request as it came.
    pub fn request(&self) -> String {
        self.requests
            .recv_timeout(Duration::from_secs(10))
            .expect("a request")
    }

    /// Whether there was no further request.
    pub fn quiet(&self) -> bool {
        self.requests.try_recv().is_err()
    }
}

/// Reads one request with its body.
pub fn read(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = header(&text, "content-length").map_or(0, |value| value.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return text;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// All values of a header.
pub fn headers<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    request
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    headers(request, name).first().copied()
}

pub fn line(request: &str) -> &str {
    request.lines().next().unwrap_or_default()
}

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
