//! Reading and writing exact decimals.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// Digits that always fit in a decimal.
const DIGITS: usize = 28;

/// Reads a plain number as it is written in JSON or in a shop's text field: sign, digits, one decimal point, exponent.
/// Digits that do not fit are rounded half away from zero. `None`: not a number in this form, or too large.
pub(crate) fn parse_lossy(text: &str) -> Option<Decimal> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let shift = i64::from(exponent);
    let decimal = if exponent == 0 {
        Decimal::from_str(&format!("0{whole}.{fraction}0")).ok().map(|d| trim_to(d, fraction.len()))
    } else {
        None
    };
    let decimal = match decimal {
        Some(decimal) => decimal,
        None => shifted(whole, fraction, shift)?,
    };
    Some(if negative && !decimal.is_zero() { -decimal } else { decimal })
}

/// Takes away the guard digit that `parse_lossy` adds, so that `12.50` keeps two decimals.
fn trim_to(decimal: Decimal, scale: usize) -> Decimal {
    decimal.round_dp_with_strategy(scale.min(DIGITS) as u32, RoundingStrategy::MidpointAwayFromZero)
}

/// The digits with the decimal point moved by an exponent.
fn shifted(whole: &str, fraction: &str, exponent: i64) -> Option<Decimal> {
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = &digits[leading..];
    if digits.is_empty() {
        return Some(Decimal::ZERO);
    }
    // How many of the digits stand before the decimal point; may be negative or beyond the end.
    let point = whole.len() as i64 - leading as i64 + exponent;
    if point > 29 {
        return None;
    }
    if point < -(DIGITS as i64) {
        return Some(Decimal::ZERO);
    }
    let plain = if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else {
        let point = point as usize;
        if digits.len() <= point {
            format!("{digits}{}", "0".repeat(point - digits.len()))
        } else {
            format!("{}.{}", &digits[..point], &digits[point..])
        }
    };
    // `from_str` rounds surplus digits half up, which on an unsigned text is half away from zero.
    Decimal::from_str(&plain).ok()
}

/// A JSON number with exactly the decimal's digits.
pub(crate) fn to_json(decimal: Decimal) -> serde_json::Value {
    // A decimal's text is always a JSON number; were it ever not, the text itself still loses nothing.
    let text = decimal.to_string();
    serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        for text in [
            "", "-", ".", "141,55", "1.234,50", "1 000", "0x10", "1e", "e5", "NaN", "Infinity", "--1", "1.2.3",
            "1_000", "١٢",
        ] {
            assert_eq!(parse_lossy(text), None, "{text}");
        }
        for (text, plain) in [
            ("141.55", "141.55"),
            ("+5", "5"),
            (".50", "0.50"),
            ("5.", "5"),
            ("-0", "0"),
            ("1E2", "100"),
            ("12.5e-1", "1.25"),
        ] {
            assert_eq!(parse_lossy(text).map(|d| d.to_string()).as_deref(), Some(plain), "{text}");
        }
        assert_eq!(parse_lossy("1e2147483647"), None);
        assert_eq!(parse_lossy("1e99999999999"), None);
    }
}
