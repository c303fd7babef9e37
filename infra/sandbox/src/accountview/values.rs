//! Values as they come in, as they are stored, and as they go out.
//!
//! Stored: texts without trailing blanks, dates as `2026-11-25`, moments as `2026-11-25T10:00:00` on the clock of the
//! installation, numbers as they were written.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Europe::Amsterdam;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Switches;
use super::dictionary::Field;
use super::errors::{Refusal, unknown_value};
use crate::text::parse_decimal;

/// A written value, made ready to be stored; null stays null.
pub(super) fn accept(field: &Field, value: &Value, switches: &Switches) -> Result<Value, Refusal> {
    let wrong = || unknown_value(&field.name, &value.to_string());
    if value.is_null() {
        return Ok(Value::Null);
    }
    match field.written_as() {
        "C" => {
            let text = value.as_str().ok_or_else(wrong)?;
            let mut text = text.trim_end().to_owned();
            if field.kind == "C" && text.chars().count() > field.len {
                if switches.too_long == "error" {
                    return Err(Refusal::new(format!(
                        "De waarde van veld '{}' is te lang (maximaal {} tekens).",
                        field.name, field.len
                    )));
                }
                text = text.chars().take(field.len).collect();
            }
            Ok(json!(if field.upper() { text.to_uppercase() } else { text }))
        }
        "T" => {
            let text = value.as_str().ok_or_else(wrong)?;
            let moment = local(text).ok_or_else(wrong)?;
            Ok(stored_moment(field, moment))
        }
        "L" => value.as_bool().map(Value::from).ok_or_else(wrong),
        "I" => value.as_i64().map(Value::from).ok_or_else(wrong),
        _ => {
            let number = match value {
                Value::Number(number) => parse_decimal(&number.to_string()),
                _ => None,
            };
            let number = number.ok_or_else(wrong)?;
            // Currency has four decimals; a numeric field is as wide as its digits.
            let decimals = number.normalize().scale();
            let digits = number.trunc().abs().to_string().len() + decimals as usize;
            if field.kind == "Y" && decimals > 4 || field.kind == "N" && digits > field.len {
                return Err(wrong());
            }
            Ok(value.clone())
        }
    }
}

/// A moment or a day in ISO form, with padded parts; one with `Z` becomes wall time.
fn local(text: &str) -> Option<NaiveDateTime> {
    if text.len() == 10 {
        return Some(text.parse::<NaiveDate>().ok()?.and_time(chrono::NaiveTime::MIN));
    }
    if text.ends_with('Z') {
        return Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Amsterdam).naive_local());
    }
    text.parse().ok()
}

pub(super) fn stored_moment(field: &Field, moment: NaiveDateTime) -> Value {
    if field.kind == "D" {
        json!(moment.date().to_string())
    } else {
        json!(moment.format("%Y-%m-%dT%H:%M:%S").to_string())
    }
}

/// The day of a `BookDate`, whatever time follows it.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    text.get(..10)?.parse().ok()
}

/// A stored value as it goes out; what was never filled is the empty value of its type.
pub(super) fn shown(field: &Field, value: Option<&Value>, switches: &Switches) -> Value {
    let value = value.filter(|value| !value.is_null());
    match field.kind.as_str() {
        "C" => {
            let text = value.and_then(Value::as_str).unwrap_or_default();
            let width = if switches.pad_texts { field.len } else { 0 };
            json!(format!("{text:<width$}"))
        }
        "M" => json!(value.and_then(Value::as_str).unwrap_or_default()),
        "L" => value.cloned().unwrap_or(json!(false)),
        "D" => value.and_then(Value::as_str).map_or(Value::Null, |day| json!(format!("{day}T00:00:00"))),
        "T" => value.cloned().unwrap_or(Value::Null),
        _ => value.cloned().unwrap_or(json!(0)),
    }
}

/// Something to compare: texts without blanks at their end, days and moments as wall time.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Comparable {
    Text(String),
    Number(Decimal),
    Moment(NaiveDateTime),
    Flag(bool),
    Empty,
}

pub(super) fn comparable(field: &Field, value: Option<&Value>) -> Comparable {
    let value = value.unwrap_or(&Value::Null);
    match field.written_as() {
        "C" => Comparable::Text(value.as_str().unwrap_or_default().trim_end().to_owned()),
        "T" => value.as_str().and_then(local).map_or(Comparable::Empty, Comparable::Moment),
        "L" => Comparable::Flag(value.as_bool().unwrap_or(false)),
        _ => Comparable::Number(crate::text::decimal(value).unwrap_or_default()),
    }
}
