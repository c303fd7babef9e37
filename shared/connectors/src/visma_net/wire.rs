//! The two dialects of Visma Net on the wire: the value wrapper of the ERP API (v1, v2), keys in paths and in `Location`
//! headers, moments in filters, and tolerant reading of what answers hold.
//!
//! The sales order service (v3) takes plain JSON, so payloads are kept plain everywhere and wrapped last of all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use percent_encoding::percent_decode_str;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::http::request::encode;

/// Fields that the ERP API takes as they are, among others that it wants in a wrapper.
const PLAIN: [&str; 4] = ["operation", "overrideWithClassValues", "segmentId", "segmentValue"];
/// Groups without a wrapper of their own, whose fields have one.
const PLAIN_GROUPS: [&str; 2] = ["packaging", "intrastat"];
/// Characters with a meaning in addresses: a key that holds one is sent in base64.
const RESERVED: [char; 12] = [':', '/', '?', '#', '[', ']', '@', '&', '*', '+', ';', '\\'];

/// A plain body as the ERP API takes it: `{"name": "x"}` becomes `{"name": {"value": "x"}}`, on every level. Lists have no
/// wrapper, the fields of their elements have.
pub(super) fn wrap(body: &Map<String, Value>) -> Value {
    let wrapped = body.iter().map(|(name, value)| (name.clone(), wrap_field(name, value)));
    Value::Object(wrapped.collect())
}

fn wrap_field(name: &str, value: &Value) -> Value {
    if PLAIN.contains(&name) {
        return value.clone();
    }
    match value {
        Value::Array(items) => Value::Array(items.iter().map(wrap_element).collect()),
        Value::Object(fields) if PLAIN_GROUPS.contains(&name) => wrap(fields),
        Value::Object(fields) => json!({ "value": wrap(fields) }),
        plain => json!({ "value": plain }),
    }
}

fn wrap_element(value: &Value) -> Value {
    match value {
        Value::Object(fields) => wrap(fields),
        other => other.clone(),
    }
}

/// A key as a path segment of the ERP API.
pub(super) fn path_key(key: &str) -> String {
    if key.contains(RESERVED) {
        return format!("b64({})", URL_SAFE_NO_PAD.encode(key));
    }
    encode(key)
}

/// The key at the end of a `Location`. The host in front of it may be another one, and is not looked at.
pub(super) fn location_key(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let last = path.rsplit('/').next()?;
    let last = percent_decode_str(last).decode_utf8().ok()?;
    let inner = last.strip_prefix("b64(").and_then(|rest| rest.strip_suffix(')'));
    let key = match inner.and_then(|inner| URL_SAFE_NO_PAD.decode(inner).ok()) {
        Some(bytes) => String::from_utf8(bytes).ok()?,
        None => last.into_owned(),
    };
    let key = key.trim();
    (!key.is_empty()).then(|| key.to_owned())
}

/// A moment for filters. No letter may stand behind it: a `Z` is refused.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A field of an answer, below groups, as trimmed text; numbers as they are written. Empty texts count as absent.
pub(super) fn field(row: &Value, path: &str) -> Option<String> {
    match at(row, path)? {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A field of an answer that is a small object with this key, or (in older versions and in documents) the key itself.
pub(super) fn key_of(row: &Value, name: &str, key: &str) -> Option<String> {
    field(row, &format!("{name}.{key}")).or_else(|| field(row, name))
}

/// A field as yes or no.
pub(super) fn flag(row: &Value, path: &str) -> Option<bool> {
    match at(row, path)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A field as an exact number.
pub(super) fn decimal(row: &Value, path: &str) -> Option<Decimal> {
    let text = field(row, path)?;
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// A field as a date: with or without a time and an offset.
pub(super) fn date(row: &Value, path: &str) -> Option<NaiveDate> {
    field(row, path)?.get(..10)?.parse().ok()
}

/// A field as a moment. Both forms occur; one without an offset is taken for UTC.
pub(super) fn time(row: &Value, path: &str) -> Option<DateTime<Utc>> {
    let text = field(row, path)?;
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return Some(at.with_timezone(&Utc));
    }
    let text = text.replace(' ', "T");
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|local| local.and_utc())
}

fn at<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(row, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// An exact number as JSON.
pub(super) fn number(value: Decimal) -> Value {
    value.normalize().to_string().parse().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_wrapped_but_lists_and_the_known_plain_fields() {
        let body = json!({
            "name": "Bos", "overrideWithClassValues": true,
            "mainAddress": {"countryId": "NL", "addressLine1": "Dorpsstraat 1"},
            "invoiceLines": [{"operation": "Insert", "quantity": 2,
                "subaccount": [{"segmentId": 1, "segmentValue": "10"}]}],
            "packaging": {"baseItemWeight": 1.5},
        });
        assert_eq!(
            wrap(body.as_object().unwrap()),
            json!({
                "name": {"value": "Bos"}, "overrideWithClassValues": true,
                "mainAddress": {"value": {"countryId": {"value": "NL"}, "addressLine1": {"value": "Dorpsstraat 1"}}},
                "invoiceLines": [{"operation": "Insert", "quantity": {"value": 2},
                    "subaccount": [{"segmentId": 1, "segmentValue": "10"}]}],
                "packaging": {"baseItemWeight": {"value": 1.5}},
            })
        );
    }

    #[test]
    fn keys_go_into_paths_and_come_out_of_locations() {
        assert_eq!(path_key("MUG 1"), "MUG%201");
        // The example of the documentation.
        assert_eq!(path_key(":/?#[]@&*+;"), "b64(Oi8_I1tdQCYqKzs)");
        for (location, key) in [
            ("https://integration.visma.net/API/controller/api/v1/customer/10042", Some("10042")),
            ("https://salesorder.visma.net/api/v3/SalesOrders/SO/000223", Some("000223")),
            ("/v1/customer/WEB%2F1/?x=1", Some("WEB/1")),
            ("/v1/inventory/b64(Oi8_I1tdQCYqKzs)", Some(":/?#[]@&*+;")),
            ("", None),
        ] {
            assert_eq!(location_key(location).as_deref(), key, "{location}");
        }
    }

    #[test]
    fn answers_are_read_whatever_form_they_take() {
        let row: Value = serde_json::from_str(
            r#"{"a":{"id":" 7 "},"b":"x","n":0.10,"e":1E+2,"d":"2026-01-27T00:00:00","z":"2026-01-27T01:00:00+02:00",
                "s":"2026-01-27 10:00:00.123","f":"True","empty":" ","none":null}"#,
        )
        .unwrap();
        assert_eq!((key_of(&row, "a", "id").as_deref(), key_of(&row, "b", "id").as_deref()), (Some("7"), Some("x")));
        assert_eq!(decimal(&row, "n").unwrap().to_string(), "0.10");
        assert_eq!(decimal(&row, "e").unwrap(), Decimal::ONE_HUNDRED);
        assert_eq!(date(&row, "d").unwrap().to_string(), "2026-01-27");
        assert_eq!(moment(time(&row, "z").unwrap()), "2026-01-26T23:00:00");
        assert_eq!(moment(time(&row, "s").unwrap()), "2026-01-27T10:00:00");
        assert_eq!((flag(&row, "f"), field(&row, "empty"), field(&row, "none")), (Some(true), None, None));
    }
}
