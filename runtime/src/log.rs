//! Log lines: text for people, JSON lines for collectors.

use std::io::Write;
use std::sync::Arc;

use assay_plugin::abi::level;
use assay_plugin::{Kind, View};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `12:00:00.000 INFO  message key=value`.
    #[default]
    Text,
    /// One JSON object a line: `time`, `level`, `message`, and the fields.
    Json,
}

/// Where finished lines go.
pub type Sink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// The log of a VM.
#[derive(Clone)]
pub struct Log {
    /// Lines below it are dropped: 0 debug, 1 info, 2 warn, 3 error, 4 nothing at all.
    pub level: u32,
    /// How lines look.
    pub format: Format,
    /// Where they go: stderr by default.
    pub sink: Sink,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: level::INFO,
            format: Format::Text,
            sink: Arc::new(to_stderr),
        }
    }
}

fn to_stderr(line: &[u8]) {
    // A log line that cannot be written must not fail the job.
    let _ = std::io::stderr().write_all(line);
}

const NAMES: [&str; 4] = ["debug", "info", "warn", "error"];

impl Log {
    /// Writes a line. `fields` is a table, or any value.
    pub fn write(&self, level: u32, message: &str, fields: Option<View<'_>>) {
        if level < self.level {
            return;
        }
        let name = NAMES.get(level as usize).copied().unwrap_or("error");
        let line = match self.format {
            Format::Text => text(name, message, fields),
            Format::Json => json(name, message, fields),
        };
        (self.sink)(line.as_bytes());
    }
}

fn text(level: &str, message: &str, fields: Option<View<'_>>) -> String {
    let time = now();
    let mut line = format!("{} {:<5} ", &time[11..23], level.to_ascii_uppercase());
    // Further lines are indented and control characters escaped: a message cannot forge a line of its
    // own, or drive the terminal.
    for char in message.chars() {
        match char {
            '\n' => line.push_str("\n      "),
            '\t' => line.push(char),
            _ if char.is_control() => line.extend(char.escape_default()),
            _ => line.push(char),
        }
    }
    for (key, value) in pairs(fields) {
        line.push_str(&format!(" {key}={}", plain(value)));
    }
    line.push('\n');
    line
}

fn json(level: &str, message: &str, fields: Option<View<'_>>) -> String {
    let mut line = format!(
        "{{\"time\":\"{}\",\"level\":\"{level}\",\"message\":{}",
        now(),
        quoted(message)
    );
    for (key, value) in pairs(fields) {
        // The line's own keys are not to be overwritten.
        let key = match key.as_str() {
            "time" | "level" | "message" => format!("field_{key}"),
            _ => key,
        };
        line.push_str(&format!(",{}:{}", quoted(&key), to_json(value, 8)));
    }
    line.push_str("}\n");
    line
}

fn pairs(fields: Option<View<'_>>) -> Vec<(String, View<'_>)> {
    let mut pairs: Vec<_> = match fields.map(View::kind) {
        Some(Ok(Kind::Map(pairs) | Kind::Error(pairs))) => {
            pairs.map(|(key, value)| (plain(key), value)).collect()
        }
        Some(Ok(Kind::List(items))) => items
            .enumerate()
            .map(|(at, value)| ((at + 1).to_string(), value))
            .collect(),
        Some(Ok(Kind::Nil)) | None => Vec::new(),
        Some(_) => fields
            .map(|value| ("value".into(), value))
            .into_iter()
            .collect(),
    };
    crate::order::by_name(&mut pairs, |pair| pair.0.as_bytes());
    pairs
}

fn plain(value: View<'_>) -> String {
    match value.as_bytes() {
        Some(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let bare = !text.is_empty()
                && !text.contains(|c: char| {
                    c.is_whitespace() || c.is_control() || c == '"' || c == '='
                });
            if bare {
                text.into_owned()
            } else {
                quoted(&text)
            }
        }
        None => to_json(value, 8),
    }
}

fn to_json(value: View<'_>, depth: usize) -> String {
    match value.kind() {
        Ok(Kind::Nil | Kind::Null) => "null".into(),
        Ok(Kind::Bool(bool)) => bool.to_string(),
        Ok(Kind::Int(int)) => int.to_string(),
        Ok(Kind::Float(float)) if float.is_finite() => format!("{float:?}"),
        Ok(Kind::Float(float)) => quoted(&float.to_string()),
        Ok(Kind::Str(bytes)) => quoted(&String::from_utf8_lossy(bytes)),
        Ok(Kind::List(_) | Kind::Map(_) | Kind::Error(_)) if depth == 0 => "\"...\"".into(),
        Ok(Kind::List(items)) => {
            let items: Vec<_> = items.map(|item| to_json(item, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        Ok(Kind::Map(_) | Kind::Error(_)) => {
            let pairs: Vec<_> = pairs(Some(value))
                .into_iter()
                .map(|(key, value)| format!("{}:{}", quoted(&key), to_json(value, depth - 1)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
        _ => quoted(value.type_name()),
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    crate::lua::json::write_string(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// RFC 3339, UTC, milliseconds.
fn now() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    crate::builtins::time::format_rfc3339(since.as_secs() as i64, since.subsec_millis())
}
