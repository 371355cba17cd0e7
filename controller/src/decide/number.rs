//! Numbers as users write them: JSON numbers, or strings that are finite decimal numbers as a whole.

use serde_json::Value;

/// Reads a whole text as a finite decimal number; sign, fraction and exponent are allowed.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust also reads "inf", "infinity" and "nan", which are no decimal numbers.
    let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !decimal {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads a JSON number or a text that is one.
pub fn from_json(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse(text),
        _ => None,
    }
}

/// The next whole number below; numbers beyond the range become its ends.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from float to integer saturates, which is wanted"
)]
pub fn floor(number: f64) -> i64 {
    number.floor() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(" 120 ", Some(120.0))]
    #[case("1e+06", Some(1e6))]
    #[case("-0.5", Some(-0.5))]
    #[case("120abc", None)]
    #[case("3d", None)]
    #[case("Infinity", None)]
    #[case("NaN", None)]
    #[case("1e999", None)]
    #[case("", None)]
    #[case("0x10", None)]
    fn only_whole_finite_decimal_texts_are_numbers(#[case] text: &str, #[case] expected: Option<f64>) {
        assert_eq!(parse(text), expected);
    }

    proptest! {
        #[test]
        fn every_integer_survives_writing_and_reading(number in -1_000_000_000_i64..1_000_000_000) {
            prop_assert_eq!(parse(&number.to_string()).map(floor), Some(number));
        }
    }
}
