//! `multipart/form-data` (RFC 7578) from a table of parts.

use assay_plugin::{Cx, Error, Kind, Result, View, from_view};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde::Deserialize;

use crate::payload::{Payload, Piece};
use crate::query::scalar;
use crate::request::Seen;

/// A part, as written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Part {
    name: Option<String>,
    data: Seen,
    path: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
}

/// A body and its content type from the option: parts by name, or a list of parts that say theirs.
pub fn payload(cx: &Cx, option: View<'_>) -> Result<(Payload, HeaderValue)> {
    let boundary = boundary();
    let mut form = Form {
        cx,
        boundary: &boundary,
        pieces: Vec::new(),
    };
    match option.kind()? {
        Kind::List(items) => {
            for (index, item) in items.enumerate() {
                form.listed(&format!("multipart[{}]", index + 1), item)?;
            }
        }
        Kind::Map(pairs) => {
            let mut named = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                let name = key.as_bytes().ok_or_else(|| {
                    let got = key.type_name();
                    wrong("multipart", format!("a name must be a string, got {got}"))
                })?;
                named.push((String::from_utf8_lossy(name).into_owned(), value));
            }
            named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (name, value) in named {
                form.named(&name, value)?;
            }
        }
        _ => {
            let got = option.type_name();
            return Err(wrong(
                "multipart",
                format!("expected a table of parts, got {got}"),
            ));
        }
    }
    form.pieces
        .push(Piece::Bytes(format!("--{boundary}--\r\n").into()));
    let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
        .map_err(|error| Error::new("internal", error.to_string()))?;
    Ok((Payload::Pieces(form.pieces.into()), content_type))
}

struct Form<'a> {
    cx: &'a Cx,
    boundary: &'a str,
    pieces: Vec<Piece>,
}

impl Form<'_> {
    /// The parts of one name: a value, a part, or a list of them.
    fn named(&mut self, name: &str, value: View<'_>) -> Result<()> {
        let option = format!("multipart.{name}");
        match value.kind()? {
            Kind::List(items) => {
                for item in items {
                    self.named_one(&option, name, item)?;
                }
                Ok(())
            }
            _ => self.named_one(&option, name, value),
        }
    }

    fn named_one(&mut self, option: &str, name: &str, value: View<'_>) -> Result<()> {
        if let Some(text) = scalar(value) {
            return self.add(name, &Part::default(), Piece::Bytes(text.into()));
        }
        let part = read(option, value)?;
        if part.name.is_some() {
            return Err(wrong(option, "has a name already, its key".into()));
        }
        let content = self.content(option, &part, value)?;
        self.add(name, &part, content)
    }

    fn listed(&mut self, option: &str, value: View<'_>) -> Result<()> {
        let part = read(option, value)?;
        let Some(name) = &part.name else {
            return Err(wrong(option, "`name` is missing".into()));
        };
        let content = self.content(option, &part, value)?;
        self.add(name, &part, content)
    }

    fn content(&self, option: &str, part: &Part, value: View<'_>) -> Result<Piece> {
        match (value.get("data"), &part.path) {
            (Some(data), None) => match scalar(data) {
                Some(bytes) => Ok(Piece::Bytes(bytes.into())),
                None => {
                    let got = data.type_name();
                    Err(wrong(
                        option,
                        format!("`data`: expected a string, got {got}"),
                    ))
                }
            },
            (None, Some(path)) => {
                self.cx.require("fs.read", path)?;
                Ok(Piece::File {
                    option: option.into(),
                    path: path.clone(),
                })
            }
            _ => Err(wrong(option, "expected either `data` or `path`".into())),
        }
    }

    fn add(&mut self, name: &str, part: &Part, content: Piece) -> Result<()> {
        let filename = match (&part.filename, &part.path) {
            (Some(filename), _) => Some(filename.as_str()),
            (None, Some(path)) => path.rsplit('/').next(),
            (None, None) => None,
        };
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{}\"",
            self.boundary,
            quoted(name)
        );
        if let Some(filename) = filename {
            head += &format!("; filename=\"{}\"", quoted(filename));
        }
        let content_type = match (&part.content_type, filename) {
            (Some(content_type), _) => {
                if HeaderValue::try_from(content_type).is_err() {
                    let option = format!("multipart.{name}");
                    return Err(wrong(&option, "`content_type` cannot be a header".into()));
                }
                Some(content_type.as_str())
            }
            (None, Some(_)) => Some("application/octet-stream"),
            (None, None) => None,
        };
        if let Some(content_type) = content_type {
            head += &format!("\r\nContent-Type: {content_type}");
        }
        head += "\r\n\r\n";
        let ends = Piece::Bytes(Bytes::from_static(b"\r\n"));
        self.pieces
            .extend([Piece::Bytes(head.into()), content, ends]);
        Ok(())
    }
}

fn read(option: &str, value: View<'_>) -> Result<Part> {
    match value.kind()? {
        Kind::Map(_) => from_view::<Part>(value)
            .map_err(|error| error.context(format_args!("option `{option}`"))),
        _ => {
            let got = value.type_name();
            Err(wrong(
                option,
                format!("expected a string or a table with `data` or `path`, got {got}"),
            ))
        }
    }
}

fn wrong(option: &str, what: String) -> Error {
    Error::argument(format!("option `{option}`: {what}"))
}

/// As browsers write names into headers.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text that is in no part: too long to be there by accident, and unknown to who wrote the parts.
fn boundary() -> String {
    let mut random = [0; 16];
    crate::retry::random(&mut random);
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("assay-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_quotes() {
        assert_eq!(quoted("a\"; x=\"\r\nb: ü"), "a%22; x=%22%0D%0Ab: ü");
    }
}
