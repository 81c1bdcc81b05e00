//! An error as people read it: the message, the script's lines, the traceback, the hint.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use assay::Error;

/// An error, and the sources that no file has.
pub struct Report {
    error: Error,
    sources: HashMap<String, String>,
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        Self {
            error,
            sources: HashMap::new(),
        }
    }
}

impl Report {
    /// The error of a script whose text is at hand.
    pub fn of_script(error: Error, name: &str, text: &[u8]) -> Self {
        let sources =
            HashMap::from([(name.to_owned(), String::from_utf8_lossy(text).into_owned())]);
        Self { error, sources }
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.error.message
    }

    /// As text, ending with a newline.
    pub fn render(&self, colors: bool) -> String {
        let paint = |style: &str, text: &str| match colors {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut out = format!(
            "{} {}\n",
            paint("31;1", "error:"),
            self.error.message.trim_end()
        );
        let frames = frames(self.error.traceback.as_deref().unwrap_or_default());
        let place = self.place(&frames);
        if let Some(place) = &place {
            self.excerpt(&mut out, place, &paint);
        }
        // A traceback that says no more than the excerpt is left out.
        let told = matches!((frames.as_slice(), &place), ([only], Some(place)) if only.starts_with(&format!("{}:{}:", place.file, place.line)));
        if !frames.is_empty() && !told {
            out.push_str("traceback:\n");
            for frame in &frames {
                let _ = writeln!(out, "    {frame}");
            }
        }
        if let Some(hint) = &self.error.hint {
            let _ = writeln!(out, "\n{} {hint}", paint("36;1", "hint:"));
        }
        out
    }

    /// Where it happened: what the message begins with, else where it was raised, else where the
    /// innermost function of the script was.
    fn place(&self, frames: &[String]) -> Option<Place> {
        // A module that does not compile is where the mistake is, not the `require`.
        let message = self
            .error
            .message
            .strip_prefix("require: ")
            .unwrap_or(&self.error.message);
        Place::parse(message)
            .filter(|place| self.lines(&place.file).is_some())
            .or_else(|| Place::parse(&format!("{}:", self.error.source.as_deref()?)))
            .or_else(|| frames.iter().find_map(|frame| Place::parse(frame)))
    }

    fn lines(&self, file: &str) -> Option<String> {
        if let Some(text) = self.sources.get(file) {
            return Some(text.clone());
        }
        // Sources are small; what is not is no source.
        let metadata = Path::new(file).metadata().ok()?;
        if !metadata.is_file() || metadata.len() > 4 << 20 {
            return None;
        }
        fs_err::read(file)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The line with two around it, and a marker.
    fn excerpt(&self, out: &mut String, place: &Place, paint: &dyn Fn(&str, &str) -> String) {
        let _ = writeln!(
            out,
            "  {} {}:{}",
            paint("34;1", "-->"),
            place.file,
            place.line
        );
        let Some(text) = self.lines(&place.file) else {
            return;
        };
        let first = place.line.saturating_sub(AROUND).max(1);
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .skip(first - 1)
            .take(place.line + AROUND + 1 - first)
            .collect();
        if !lines.iter().any(|(number, _)| *number == place.line) {
            return;
        }
        let width = lines
            .last()
            .map_or(1, |(number, _)| number.to_string().len());
        for (number, line) in lines {
            let marker = if number == place.line {
                paint("31;1", ">")
            } else {
                " ".into()
            };
            let rule = paint("34;1", &format!("{number:>width$} |"));
            let _ = writeln!(out, "  {marker} {rule} {}", shown(line));
        }
    }
}

/// Lines around the one that failed.
const AROUND: usize = 2;

/// Characters of a line that are shown.
const LONGEST: usize = 200;

/// A line fit for a terminal: bounded, without control characters.
fn shown(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars().take(LONGEST) {
        match c {
            '\t' => out.push_str("    "),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    if line.chars().nth(LONGEST).is_some() {
        out.push_str("...");
    }
    out.trim_end().to_owned()
}

/// A line of a file.
struct Place {
    file: String,
    line: usize,
}

impl Place {
    /// Reads `file:line:` at the beginning of a text.
    fn parse(text: &str) -> Option<Self> {
        let text = text.lines().next()?;
        // The first `:digits:`; a file's name may have colons of its own.
        let mut from = 0;
        while let Some(colon) = text[from..].find(':').map(|at| at + from) {
            let rest = &text[colon + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 && rest[digits..].starts_with(':') && colon > 0 {
                return Some(Self {
                    file: text[..colon].to_owned(),
                    line: rest[..digits].parse().ok()?,
                });
            }
            from = colon + 1;
        }
        None
    }
}

/// The frames of the script in a traceback of Lua's, innermost first. What has no line is ours.
fn frames(traceback: &str) -> Vec<String> {
    let frames = traceback
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "stack traceback:");
    frames
        .filter(|line| !line.starts_with("[C]:"))
        .map(Into::into)
        .collect()
}
