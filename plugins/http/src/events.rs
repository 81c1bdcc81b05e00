//! Server-sent events: `on_event` is called with each, one after the other.
//!
//! As the WHATWG's "Server-sent events" has it, but for connecting again, which is the script's: it
//! knows whether what it missed matters.

use std::time::Duration;

use assay_plugin::{Cx, Error, Result, Value};
use hyper::header::CONTENT_TYPE;

use crate::body::next;
use crate::exchange::{Answer, Content};
use crate::failure::{self, Max};
use crate::request::OnEvent;

/// Calls the function with every event until there are no more, or it returns false. An answer that
/// is no stream of events comes back with its body, as without `on_event`.
pub async fn run(
    cx: &Cx,
    mut answer: Answer,
    on_event: &OnEvent,
    timeout: Duration,
) -> Result<Answer> {
    let is_stream = is_event_stream(&answer);
    let Content::Stream(mut incoming) = answer.body else {
        return Ok(answer);
    };
    let mut parser = Parser::default();
    let mut whole = Vec::new();
    'stream: loop {
        let (rest, chunk) = cx
            .tokio(async move {
                let chunk = next(&mut incoming, timeout).await?;
                Ok((incoming, chunk))
            })
            .await?;
        incoming = rest;
        let Some(chunk) = chunk else { break };
        if !is_stream {
            whole.extend_from_slice(&chunk);
            if whole.len() as u64 > on_event.max {
                return Err(failure::too_large(Max::body(on_event.max), incoming.url()));
            }
            continue;
        }
        for event in parser.push(&chunk) {
            if on_event.function.call::<Value>((event,)).await? == Value::Bool(false) {
                break 'stream;
            }
        }
        if parser.pending() as u64 > on_event.max {
            let what = format!("an event is larger than {} bytes", on_event.max);
            let error: Error = failure::error("body", what, incoming.url());
            return Err(error.hint("raise the option `max_body`"));
        }
    }
    answer.body = Content::Whole(whole);
    Ok(answer)
}

fn is_event_stream(answer: &Answer) -> bool {
    let content_type = answer.headers.get(CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    answer.status == 200 && essence.trim().eq_ignore_ascii_case("text/event-stream")
}

/// From bytes, however they were cut, to events.
#[derive(Default)]
struct Parser {
    /// The line that is not over yet.
    line: Vec<u8>,
    /// A line feed would belong to the last line's end.
    after_return: bool,
    /// There was a line, so that a byte order mark is text.
    started: bool,
    data: Vec<u8>,
    event: Vec<u8>,
    /// Both hold until the server says otherwise.
    id: Option<Vec<u8>>,
    retry: Option<i64>,
}

impl Parser {
    /// The events that these bytes complete.
    fn push(&mut self, bytes: &[u8]) -> Vec<Value> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            match rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
                None => {
                    self.line.extend_from_slice(rest);
                    break;
                }
                Some(end) => {
                    self.line.extend_from_slice(&rest[..end]);
                    self.after_return = rest[end] == b'\r';
                    rest = &rest[end + 1..];
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&line));
                }
            }
        }
        events
    }

    /// How much is kept for the event to come.
    fn pending(&self) -> usize {
        self.line.len() + self.data.len() + self.event.len()
    }

    fn line(&mut self, line: &[u8]) -> Option<Value> {
        let line = match line.strip_prefix(b"\xEF\xBB\xBF") {
            Some(rest) if !self.started => rest,
            _ => line,
        };
        self.started = true;
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.event = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let digits = std::str::from_utf8(value).ok();
                self.retry = digits.and_then(|digits| digits.parse().ok()).or(self.retry);
            }
            // A comment (nothing before the colon), or a field of a later version.
            _ => {}
        }
        None
    }

    /// What the lines so far are, if they are an event: one without data is none.
    fn dispatch(&mut self) -> Option<Value> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        let name = if event.is_empty() {
            b"message".to_vec()
        } else {
            event
        };
        let mut pairs = vec![
            ("data".into(), Value::Bytes(data)),
            ("event".into(), Value::Bytes(name)),
        ];
        if let Some(id) = self.id.as_ref().filter(|id| !id.is_empty()) {
            pairs.push(("id".into(), Value::Bytes(id.clone())));
        }
        if let Some(retry) = self.retry {
            pairs.push(("retry".into(), Value::Int(retry)));
        }
        Some(Value::Map(pairs))
    }
}

/// The events of a stream that comes in pieces.
#[cfg(fuzzing)]
pub(crate) fn parse(pieces: &[&[u8]]) -> Vec<Value> {
    let mut parser = Parser::default();
    pieces.iter().flat_map(|piece| parser.push(piece)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `event|data|id|retry` of each event, however the bytes are cut.
    fn events(stream: &str) -> Vec<String> {
        let whole = shown(Parser::default().push(stream.as_bytes()));
        let mut parser = Parser::default();
        let bytewise = stream
            .as_bytes()
            .chunks(1)
            .flat_map(|byte| parser.push(byte));
        assert_eq!(shown(bytewise.collect()), whole);
        whole
    }

    fn shown(events: Vec<Value>) -> Vec<String> {
        let text = |event: &Value, key: &str| match event.get(key) {
            Some(Value::Int(int)) => int.to_string(),
            Some(value) => value.as_str().unwrap().to_owned(),
            None => "-".into(),
        };
        let show = |event: &Value| {
            ["event", "data", "id", "retry"]
                .map(|key| text(event, key))
                .join("|")
        };
        events.iter().map(show).collect()
    }

    #[test]
    fn lines_end_in_three_ways() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = "data: a\ndata:b\n\ndata: c\n\n".replace('\n', end);
            assert_eq!(
                events(&stream),
                ["message|a\nb|-|-", "message|c|-|-"],
                "{end:?}"
            );
        }
    }

    #[test]
    fn fields() {
        assert_eq!(
            events("event: add\ndata:  two spaces\nid: 7\nretry: 100\nother: x\n\ndata\n\n"),
            ["add| two spaces|7|100", "message||7|100"]
        );
        assert_eq!(events("id: 1\n\nid\ndata: x\n\n"), ["message|x|-|-"]);
        assert_eq!(
            events("id: 1\0\nretry: 1s\ndata: {\"a\": 1}\ndata\n\n"),
            ["message|{\"a\": 1}\n|-|-"]
        );
    }

    #[test]
    fn comments_marks_and_rests() {
        assert_eq!(
            events(
                "\u{feff}data: a\n\n: keep-alive\n\n\nevent: none\n\n\u{feff}data: b\n\ndata: not over"
            ),
            ["message|a|-|-"]
        );
    }
}
