//! Small helpers around JSON numbers and texts.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Number, Value};

/// A JSON number or a text with a number, exactly.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => parse_decimal(&number.to_string()),
        Value::String(text) => parse_decimal(text.trim()),
        _ => None,
    }
}

/// A number in digits or in scientific form.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

/// A decimal as a JSON number with the shortest text.
pub(crate) fn number(value: Decimal) -> Value {
    serde_json::from_str::<Number>(&value.normalize().to_string()).map_or(Value::Null, Value::Number)
}

/// A decimal, or zero.
pub(crate) fn amount(row: &Value, field: &str) -> Decimal {
    row.get(field).and_then(decimal).unwrap_or_default()
}

/// A text field, or "".
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number, from a JSON number or a text.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    decimal(value).filter(|number| number.fract().is_zero()).and_then(|number| number.to_i64())
}

/// An object with some of its fields replaced.
pub(crate) fn merged(base: &Value, values: &Value) -> Result<Value, String> {
    let mut base = base.clone();
    let fields = values.as_object().ok_or("switches: an object with names and values is expected")?;
    for (name, value) in fields {
        base[name] = value.clone();
    }
    Ok(base)
}

/// A decimal written in the source.
pub(crate) fn dec(text: &str) -> Decimal {
    parse_decimal(text).unwrap_or_default()
}
