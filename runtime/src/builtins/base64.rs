//! `base64`: bytes to text and back.

use ::base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, PAD};
use ::base64::engine::{DecodePaddingMode, Engine};
use ::base64::{DecodeError, alphabet};
use assay_plugin::{Buf, Error, Result, family};

family! {
    /// Base64 of any bytes.
    name: "base64",
    functions: {
        /// Encodes in the standard alphabet, padded.
        fn encode = "fun(data: string): string",
        /// Decodes the standard alphabet, padded. Line breaks and blanks are skipped.
        fn decode = "fun(text: string): string",
        /// Encodes in the URL-safe alphabet, without padding.
        fn url_encode = "fun(data: string): string",
        /// Decodes the URL-safe alphabet, with or without padding.
        fn url_decode = "fun(text: string): string",
    },
}

pub(crate) fn encode(data: &[u8]) -> String {
    STANDARD.encode(data)
}

fn decode(text: &[u8]) -> Result<Buf> {
    decoded(text).map(Buf::new)
}

/// As `decode`, for the families that have Base64 inside.
pub(super) fn decoded(text: &[u8]) -> Result<Vec<u8>> {
    decode_with(&STANDARD, text)
}

fn url_encode(data: &[u8]) -> String {
    URL_SAFE.encode(data)
}

fn url_decode(text: &[u8]) -> Result<Buf> {
    decode_with(&URL_SAFE, text).map(Buf::new)
}

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decode_with(engine: &GeneralPurpose, text: &[u8]) -> Result<Vec<u8>> {
    // `base64(1)`, PEM and YAML block scalars wrap lines.
    let result = if text.iter().any(u8::is_ascii_whitespace) {
        let joined: Vec<u8> = text.iter().copied().filter(visible).collect();
        engine.decode(joined)
    } else {
        engine.decode(text)
    };
    result.map_err(|error| explain(error, text))
}

fn visible(byte: &u8) -> bool {
    !byte.is_ascii_whitespace()
}

fn explain(error: DecodeError, text: &[u8]) -> Error {
    match error {
        DecodeError::InvalidByte(offset, byte) => {
            let offset = offset_in(text, offset);
            let error = Error::new(
                "syntax",
                format!("unexpected `{}` at offset {offset}", byte.escape_ascii()),
            );
            match byte {
                b'-' | b'_' => error.hint("for the URL-safe alphabet use base64.url_decode"),
                b'+' | b'/' => error.hint("for the standard alphabet use base64.decode"),
                _ => error,
            }
        }
        DecodeError::InvalidLastSymbol(offset, byte) => Error::new(
            "syntax",
            format!(
                "the last symbol `{}` at offset {} has bits that belong to no byte",
                byte.escape_ascii(),
                offset_in(text, offset)
            ),
        ),
        DecodeError::InvalidLength(_) => Error::new(
            "syntax",
            format!(
                "{} symbols are no whole number of bytes: the text is cut off",
                text.iter().filter(|byte| visible(byte)).count()
            ),
        ),
        DecodeError::InvalidPadding => Error::new("syntax", "wrong padding at the end")
            .hint("for unpadded text use base64.url_decode"),
    }
}

/// Where the nth symbol stands in the text with its line breaks.
fn offset_in(text: &[u8], nth: usize) -> usize {
    text.iter()
        .enumerate()
        .filter(|(_, byte)| visible(byte))
        .nth(nth)
        .map_or(nth, |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_plugin::test::Host;

    fn call(function: &str, text: &[u8]) -> Result<Vec<u8>> {
        Host::new(&FAMILY).call(function, (text,))
    }

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        for (encode, decode) in [("encode", "decode"), ("url_encode", "url_decode")] {
            for length in 0..=256 {
                let text = call(encode, &all[..length]).unwrap();
                assert_eq!(call(decode, &text).unwrap(), &all[..length]);
            }
        }
    }

    #[test]
    fn alphabets_and_padding() {
        assert_eq!(call("encode", b"\xfb\xff\xfe\xff").unwrap(), b"+//+/w==");
        assert_eq!(call("url_encode", b"\xfb\xff\xfe\xff").unwrap(), b"-__-_w");
        assert_eq!(
            call("url_decode", b"-__-_w==").unwrap(),
            b"\xfb\xff\xfe\xff"
        );
        assert_eq!(call("decode", b"").unwrap(), b"");
    }

    #[test]
    fn wrapped_lines_are_joined() {
        assert_eq!(call("decode", b"aGVs\r\nbG8=\n").unwrap(), b"hello");
    }

    #[test]
    fn errors_say_where_and_what_to_use() {
        let error = call("decode", b"aGVs\nbG8!").unwrap_err();
        assert_eq!(error.message(), "unexpected `!` at offset 8");
        assert_eq!(error.kind(), "syntax");
        let error = call("decode", b"-__-_w==").unwrap_err();
        assert_eq!(
            error.hint_text(),
            Some("for the URL-safe alphabet use base64.url_decode")
        );
        let error = call("decode", b"aGVsbG8").unwrap_err();
        assert_eq!(error.message(), "wrong padding at the end");
        let error = call("url_decode", b"a").unwrap_err();
        assert!(error.message().contains("cut off"), "{error:?}");
        let error = call("url_decode", b"\x00\xff").unwrap_err();
        assert_eq!(error.message(), "unexpected `\\x00` at offset 0");
        let error = call("decode", b"aGVsbG9=").unwrap_err();
        assert!(error.message().contains("last symbol `9`"), "{error:?}");
    }
}
