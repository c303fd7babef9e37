//! Values of the API: texts, exact numbers, local moments without a zone, and lists that are wrapped.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Europe::Amsterdam;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// A field as text without blanks around it; `None` when it is empty. Codes are texts, some ids are numbers.
pub(super) fn field(row: &Value, name: &str) -> Option<String> {
    let text = match row.get(name)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A number, exactly as it was written.
pub(super) fn decimal(row: &Value, name: &str) -> Option<Decimal> {
    let text = field(row, name)?;
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// A yes/no field.
pub(super) fn flag(row: &Value, name: &str) -> Option<bool> {
    row.get(name)?.as_bool()
}

/// A moment on the clock of the administration.
pub(super) fn local(row: &Value, name: &str) -> Option<NaiveDateTime> {
    let text = field(row, name)?;
    let bare = text.strip_suffix('Z').unwrap_or(&text);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d"].iter().find_map(|form| {
        NaiveDateTime::parse_from_str(bare, form)
            .ok()
            .or_else(|| chrono::NaiveDate::parse_from_str(bare, form).ok().and_then(|day| day.and_hms_opt(0, 0, 0)))
    })
}

/// A moment as it stands on the clock of the administration. Dates of the API have no zone; the company is Dutch.
pub(super) fn wall_clock(moment: DateTime<Utc>) -> NaiveDateTime {
    moment.with_timezone(&Amsterdam).naive_local()
}

/// And back; in the hour that comes twice the earlier one is meant.
pub(super) fn utc(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    local.and_local_timezone(Amsterdam).earliest().map(|moment| moment.with_timezone(&Utc))
}

/// A decimal as a JSON number, digit by digit.
pub(super) fn number(value: Decimal) -> Value {
    serde_json::from_str(&value.to_string()).map_or(Value::Null, Value::Number)
}

/// What was created: the entity itself, or the one element of a wrapped list.
pub(super) fn entity(answer: Value) -> Value {
    match answer.get("_data") {
        Some(Value::Array(rows)) => rows.first().cloned().unwrap_or_default(),
        Some(inner @ Value::Object(_)) => inner.clone(),
        _ => answer,
    }
}

/// Without what is private (`_…`), null or blank: an empty field is not a field to send.
pub(super) fn filled(made: &Value) -> Map<String, Value> {
    match clean(made) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn clean(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .iter()
                .filter(|(name, _)| !name.starts_with('_'))
                .filter_map(|(name, value)| Some((name.clone(), clean(value)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(clean).collect())),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_their_digits_and_texts_lose_their_blanks() {
        let row: Value = serde_json::from_str(r#"{"a":19.90,"b":" x ","c":"","d":1e2,"e":7}"#).unwrap();
        assert_eq!(decimal(&row, "a").unwrap().to_string(), "19.90");
        assert_eq!(
            (field(&row, "b").as_deref(), field(&row, "c"), field(&row, "e").as_deref()),
            (Some("x"), None, Some("7"))
        );
        assert_eq!(decimal(&row, "d"), Some(Decimal::ONE_HUNDRED));
        assert_eq!(number("19.90".parse().unwrap()).to_string(), "19.90");
    }

    #[test]
    fn moments_are_wall_time_of_the_netherlands() {
        let row = json!({"a":"2026-07-01T00:30:00","b":"2026-07-01"});
        assert_eq!(utc(local(&row, "a").unwrap()).unwrap().to_rfc3339(), "2026-06-30T22:30:00+00:00");
        assert_eq!(local(&row, "b").unwrap().to_string(), "2026-07-01 00:00:00");
        let winter = "2026-12-31T23:30:00Z".parse().unwrap();
        assert_eq!(wall_clock(winter).to_string(), "2027-01-01 00:30:00");
    }

    #[test]
    fn both_forms_of_a_created_entity_are_read_and_what_is_empty_stays_home() {
        assert_eq!(entity(json!({"id":1}))["id"], 1);
        assert_eq!(entity(json!({"_data":[{"id":2}],"_meta":{}}))["id"], 2);
        assert_eq!(entity(json!({"_data":{"id":3}}))["id"], 3);
        let made = json!({"_x":1,"a":" ","b":null,"c":0,"l":[{"e":"","f":"f"}],"g":{"h":null}});
        assert_eq!(Value::Object(filled(&made)), json!({"c":0,"l":[{"f":"f"}]}));
    }
}
