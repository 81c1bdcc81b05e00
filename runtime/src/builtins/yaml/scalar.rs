//! What a scalar's text means, by the core schema of YAML 1.2.

use assay_plugin::Value;

/// The value of a plain scalar.
pub(crate) fn resolve(text: &str) -> Value {
    null(text)
        .or_else(|| bool(text))
        .or_else(|| int(text))
        .or_else(|| float(text))
        .unwrap_or_else(|| text.into())
}

pub(super) fn null(text: &str) -> Option<Value> {
    matches!(text, "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
}

pub(super) fn bool(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        _ => None,
    }
}

/// Beyond 64 bits it is none: text is exact, a float is not. Neither are digits after a zero, which
/// are octal to YAML 1.1, decimal to 1.2, and a file's mode to their author.
pub(super) fn int(text: &str) -> Option<Value> {
    if let Some(octal) = text.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return radix(hex, 16);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if has_leading_zero(digits) {
        return None;
    }
    text.parse().ok().map(Value::Int)
}

fn radix(digits: &str, radix: u32) -> Option<Value> {
    // `from_str_radix` would take a sign.
    if !digits.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(Value::Int)
}

pub(super) fn float(text: &str) -> Option<Value> {
    let (sign, number) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match number {
        ".inf" | ".Inf" | ".INF" => return Some(Value::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if number.len() == text.len() => {
            return Some(Value::Float(f64::NAN));
        }
        _ => {}
    }
    // Rust reads more than YAML: `inf`, `nan`, and integers, which are too long if they get here.
    let plain = number
        .bytes()
        .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    let whole = number.bytes().all(|b| b.is_ascii_digit());
    if !plain || whole || has_leading_zero(number) || number.starts_with(['+', '-']) {
        return None;
    }
    let float = sign * number.parse::<f64>().ok()?;
    float.is_finite().then_some(Value::Float(float))
}

fn has_leading_zero(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("0", Value::Int(0)),
            ("-12", Value::Int(-12)),
            ("+12", Value::Int(12)),
            ("0o17", Value::Int(15)),
            ("0xfF", Value::Int(255)),
            ("9223372036854775807", Value::Int(i64::MAX)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("1.5", Value::Float(1.5)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("-.5", Value::Float(-0.5)),
            ("1e3", Value::Float(1000.0)),
            ("1.5E-3", Value::Float(0.0015)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        assert!(matches!(resolve(".nan"), Value::Float(nan) if nan.is_nan()));
    }

    #[test]
    fn what_stays_text() {
        for text in [
            "yes",
            "on",
            "y",
            "TRue",
            "nULL",
            "0644",
            "-007",
            "00.5",
            "1_000",
            "0b1",
            "0o",
            "0x",
            "0x-1",
            "0o8",
            "18446744073709551615",
            "1e999",
            "1e",
            ".",
            "-",
            "+",
            "e5",
            "inf",
            "nan",
            "-.nan",
            "--1",
            "+-1",
            "1.2.3",
            "2026-01-31",
            "12:30:45",
            "=",
            "<<",
            "1 2",
            "٣",
            "0x1p3",
        ] {
            assert_eq!(resolve(text), text.into(), "{text}");
        }
    }
}
