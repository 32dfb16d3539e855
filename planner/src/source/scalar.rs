//! Scalars: their text as it was written, and what the YAML 1.2 core schema makes of it.

use serde_json::{Number, Value};

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: the core schema decides what it is.
    Plain,
    /// In quotes or as a block: always a text.
    Quoted,
}

/// A scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text after escapes and folding; for a plain scalar what stands in the file, so `1.30` keeps its zero.
    pub text: String,
    /// How it was written.
    pub style: Style,
}

impl Scalar {
    /// What the core schema makes of it. `.inf` and `.nan` stay text: JSON has no such numbers.
    pub fn value(&self) -> Value {
        match self.style {
            Style::Quoted => Value::String(self.text.clone()),
            Style::Plain => plain(&self.text),
        }
    }

    /// For a plain number that does not read back as it was written (`1.30`, `017`, `1e3`): the number it becomes.
    pub fn altered(&self) -> Option<Number> {
        match self.value() {
            Value::Number(number) if number.to_string() != self.text => Some(number),
            _ => None,
        }
    }

    /// Whether it is a plain word that YAML 1.1 reads as a boolean and YAML 1.2 as a text, and which boolean.
    pub fn yaml_1_1_boolean(&self) -> Option<bool> {
        if self.style != Style::Plain {
            return None;
        }
        match self.text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" => Some(true),
            "n" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let some = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !(some && digits(whole) && fraction.is_none_or(digits) && exponent_ok) {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        let signed = text.strip_prefix('+').unwrap_or(text);
        if let Ok(number) = signed.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = signed.parse::<i64>() {
            return Some(number.into());
        }
    }
    // Rust reads `1.` and `.5` as the core schema does.
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

fn radix(digits: &str, radix: u32) -> Option<Number> {
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    valid.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), style: Style::Plain }
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("nUll", json!("nUll")),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("yes", json!("yes")),
            ("off", json!("off")),
            ("0", json!(0)),
            ("-19", json!(-19)),
            ("+7", json!(7)),
            ("017", json!(17)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0x", json!("0x")),
            ("0o8", json!("0o8")),
            ("1_000", json!("1_000")),
            ("1.30", json!(1.3)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            (".", json!(".")),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            ("e3", json!("e3")),
            ("1e999", json!("1e999")),
            ("12:30", json!("12:30")),
            ("1.33.4", json!("1.33.4")),
            ("18446744073709551615", json!(u64::MAX)),
            (".inf", json!(".inf")),
            ("NaN", json!("NaN")),
            ("infinity", json!("infinity")),
            ("-", json!("-")),
        ];
        for (text, value) in cases {
            assert_eq!(of(text).value(), value, "{text}");
        }
    }

    #[test]
    fn numbers_that_do_not_read_back_are_known() {
        for text in ["1.30", "017", "1e3", ".5", "0x1F", "+7", "18446744073709551616"] {
            assert!(of(text).altered().is_some(), "{text}");
        }
        for text in ["1.3", "17", "-2", "1.33.4", "true", "x"] {
            assert_eq!(of(text).altered(), None, "{text}");
        }
    }

    #[test]
    fn quotes_make_text() {
        let quoted = Scalar { text: "1.30".to_owned(), style: Style::Quoted };
        assert_eq!(quoted.value(), json!("1.30"));
        assert_eq!(quoted.altered(), None);
        assert_eq!(of("On").yaml_1_1_boolean(), Some(true));
        assert_eq!(of("one").yaml_1_1_boolean(), None);
    }
}
