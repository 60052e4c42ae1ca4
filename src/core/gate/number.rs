//! Numbers as gate files and sources write them, and as the originals print them.

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
use serde_json::Value;

/// A measured value: a number, or a text that says one (`"0.8"`, `"+Inf"`), as Prometheus answers. `None` for anything
/// else and for NaN: nothing was measured.
pub fn measured(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| !number.is_nan())
}

/// JSON for a number: whole numbers without a fraction, as JavaScript and Go write them; what JSON cannot say as text.
pub fn json(number: f64) -> Value {
    // Up to 2^53 every whole number is exact.
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        return Value::from(number as i64);
    }
    serde_json::Number::from_f64(number).map_or_else(|| Value::from(text(number)), Value::Number)
}

/// A number as Go's `%v` prints it: the shortest digits that say it, an exponent below 1e-4 and from 1e21.
pub fn text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e21).contains(&size) {
        return format!("{number}");
    }
    let plain = format!("{number:e}");
    let Some((digits, exponent)) = plain.split_once('e') else { return plain };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A number for people: two digits after the point, unless it would then look like one of `goals` that it is not.
pub fn brief(number: f64, goals: &[f64]) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    let misleads = |goal: &f64| *goal == rounded && *goal != number;
    text(if rounded.is_finite() && !goals.iter().any(misleads) { rounded } else { number })
}

/// A measured number for people: four significant digits, unless it would then look like one of `goals` that it is not.
///
/// ```
/// use tidegate::core::gate::number::measure;
/// assert_eq!((measure(1.059556205900927, &[0.8]), measure(412.0, &[])), ("1.06".into(), "412".into()));
/// assert_eq!((measure(0.80001, &[0.8]), measure(123456.7, &[])), ("0.80001".into(), "123457".into()));
/// ```
pub fn measure(number: f64, goals: &[f64]) -> String {
    let size = number.abs();
    if !size.is_normal() {
        return text(number);
    }
    #[allow(clippy::cast_possible_truncation)] // the exponent of a double
    let places = (3 - size.log10().floor() as i32).clamp(0, 300);
    let scale = 10_f64.powi(places);
    let rounded = (number * scale).round() / scale;
    let misleads = |goal: &f64| *goal == rounded && *goal != number;
    text(if rounded.is_finite() && !goals.iter().any(misleads) { rounded } else { number })
}

/// A number in Go's grammar (`strconv.ParseFloat`): decimal, `Inf`, `NaN`, hexadecimal with an exponent (`0x1p4`), digits
/// separated by underscores (`1_000`).
///
/// ```
/// use tidegate::core::gate::number::go;
/// assert_eq!((go("5."), go(".5"), go("0x1p4"), go("1_000")), (Some(5.0), Some(0.5), Some(16.0), Some(1000.0)));
/// assert_eq!((go("500ms"), go(""), go("1e400"), go("0x10")), (None, None, None, None));
/// ```
pub fn go(text: &str) -> Option<f64> {
    let text = &without_separators(text)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return text.parse().ok(),
        // Go knows no signed NaN.
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        _ => {}
    }
    if let Some(digits) = lower.strip_prefix("0x") {
        let number = hexadecimal(digits)?;
        return Some(if text.starts_with('-') { -number } else { number });
    }
    let decimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-');
    let number: f64 = lower.bytes().all(decimal).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// The text without its underscores, if each of them stands between two digits, or after `0x`.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hexadecimal = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let digit = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at)).copied().unwrap_or_default();
        if hexadecimal { byte.is_ascii_hexdigit() || byte.eq_ignore_ascii_case(&b'x') } else { byte.is_ascii_digit() }
    };
    let between = |at: usize| digit(at.checked_sub(1)) && digit(at.checked_add(1));
    text.match_indices('_').all(|(at, _)| between(at)).then(|| text.replace('_', ""))
}

/// `1.8p3`: sixteenths before a power of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digit = |letter: char| letter.to_digit(16).map(f64::from);
    let mut number = 0.0;
    for letter in whole.chars() {
        number = number * 16.0 + digit(letter)?;
    }
    let mut scale = 1.0 / 16.0;
    for letter in fraction.chars() {
        number += digit(letter)? * scale;
        scale /= 16.0;
    }
    let number = number * 2f64.powi(exponent);
    number.is_finite().then_some(number)
}

/// For `#[serde(with = "number")]`: writes as [`json`] does.
pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    json(*number).serialize(serializer)
}

/// For `#[serde(with = "number")]`: reads what [`serialize`] writes.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match &value {
        Value::String(text) if text == "NaN" => Ok(f64::NAN),
        value => measured(value).ok_or_else(|| serde::de::Error::custom(format!("{value} is not a number"))),
    }
}

/// The same for a number that may be missing.
pub(super) mod optional {
    use super::{Deserializer, Serializer, Value, json, measured};
    use serde::{Deserialize as _, Serialize as _};

    pub fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        number.map(json).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Value>::deserialize(deserializer)?.as_ref().and_then(measured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_go_does() {
        for (number, says) in [
            (0.0, "0"),
            (100.0, "100"),
            (33.33333333333333, "33.33333333333333"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e21, "1.5e+21"),
            (1e20, "100000000000000000000"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(text(number), says);
        }
    }

    #[test]
    fn people_read_rounded_numbers_unless_they_mislead() {
        let sum = 33.3 + 33.3 + 33.3;
        assert_eq!((brief(sum, &[90.0]), brief(sum, &[99.9])), ("99.9".into(), "99.89999999999999".into()));
        assert_eq!((brief(66.0 + 2.0 / 3.0, &[]), brief(f64::MAX, &[])), ("66.67".into(), text(f64::MAX)));
    }

    #[test]
    fn reads_as_go_does() {
        for (text, number) in [
            ("1e3", 1000.0),
            ("-Inf", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
            ("0x1.8p1", 3.0),
            ("1_23.50_0e+1_2", 1.235e14),
            ("0x_1p4", 16.0),
        ] {
            assert_eq!(go(text), Some(number), "{text}");
        }
        for text in ["", ".", "e3", "1e", "0x", "0xp1", "_1", "1_", "1__0", "1_.5", "5%", "+nan", " 5", "١"] {
            assert_eq!(go(text), None, "{text}");
        }
        assert!(go("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn what_is_no_number_was_not_measured() {
        for value in ["NaN", "", "abc"] {
            assert_eq!(measured(&Value::from(value)), None, "{value}");
        }
        assert_eq!(measured(&Value::Null), None);
        assert_eq!(measured(&Value::from("+Inf")), Some(f64::INFINITY));
        assert_eq!(measured(&Value::from("8.1e-01")), Some(0.81));
    }
}
