//! One request at work: rows with their row versions, and the time as rows tell it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Europe::Oslo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::Switches;
use super::errors::message;
use crate::message::{Call, Reply};
use crate::state::Store;
use crate::text::text;

/// Fields of a row or a body.
pub(super) type Fields = Map<String, Value>;

/// One request at work.
pub(super) struct Tx<'a> {
    pub store: &'a mut Store,
    pub switches: &'a Switches,
    pub site: &'a str,
    pub now: DateTime<Utc>,
}

impl Tx<'_> {
    pub fn get(&self, table: &str, key: &str) -> Option<&Value> {
        self.store.get(table, key)
    }

    pub fn rows(&self, table: &str) -> Vec<&Value> {
        self.store.rows(table).collect()
    }

    /// A row as fields.
    pub fn fields(&self, table: &str, key: &str) -> Option<Fields> {
        self.get(table, key).and_then(Value::as_object).cloned()
    }

    /// A field of a row that is an object with an id: `{"id", "description"}`; null when there is no such row.
    pub fn named(&self, table: &str, key: &str, id: &str, description: &str) -> Value {
        match self.get(table, key) {
            None => Value::Null,
            Some(row) => json!({id: key, description: row["description"].as_str().or(row["name"].as_str())}),
        }
    }

    /// Stores a row with the next row version.
    pub fn put(&mut self, table: &str, key: &str, mut fields: Fields) {
        let stamp = self.store.next_number("row version", 1_291_330_000);
        let at = json!(self.now.to_rfc3339());
        fields.entry("_created").or_insert_with(|| at.clone());
        fields.insert("_modified".into(), at);
        fields.insert("_stamp".into(), json!(stamp));
        self.store.put(table, key, Value::Object(fields));
    }

    /// Local midnight of today, as documents carry it.
    pub fn today(&self) -> String {
        self.now.with_timezone(&Oslo).format("%Y-%m-%dT00:00:00").to_string()
    }

    /// The wall time that stamps show.
    pub fn wall(&self, at: DateTime<Utc>) -> NaiveDateTime {
        if self.switches.stamps_zone == "utc" { at.naive_utc() } else { at.with_timezone(&Oslo).naive_local() }
    }

    /// A stamp as answers of v1/v2 carry it.
    pub fn stamp(&self, at: DateTime<Utc>, with_offset: bool) -> String {
        let with_offset = match self.switches.stamps_with_offset.as_str() {
            "always" => true,
            "never" => false,
            _ => with_offset,
        };
        let format = if with_offset { "%Y-%m-%dT%H:%M:%S%.3f%:z" } else { "%Y-%m-%dT%H:%M:%S%.3f" };
        if self.switches.stamps_zone == "utc" {
            at.format(format).to_string()
        } else {
            at.with_timezone(&Oslo).format(format).to_string()
        }
    }

    /// The condition of a change: `If-Match` names the version that is there.
    pub fn check_version(&self, call: &Call, row: &Value) -> Result<(), Reply> {
        let Some(sent) = call.header("if-match") else { return Ok(()) };
        if sent == "*" && self.switches.if_match_star || sent == format!("\"{}\"", version(row)) {
            return Ok(());
        }
        Err(message(412, "The record was changed by somebody else."))
    }

    /// The address of a new record.
    pub fn location(&self, path: &str) -> String {
        let v3 = path.starts_with("/api/v3");
        let site = match self.switches.location_elsewhere {
            true if v3 => "https://salesorder.visma.invalid",
            true => "https://erp.visma.invalid",
            false => self.site,
        };
        format!("{site}{path}")
    }

    /// 201 with nothing but the address and the version.
    pub fn created(&self, table: &str, key: &str, path: &str) -> Reply {
        let encoded = encoded(key);
        let row = self.get(table, key).cloned().unwrap_or_default();
        Reply::empty(201)
            .with("Location", self.location(&format!("{path}/{encoded}")))
            .with("ETag", format!("\"{}\"", version(&row)))
    }

    /// 204 with the new version.
    pub fn changed(&self, table: &str, key: &str) -> Reply {
        let row = self.get(table, key).cloned().unwrap_or_default();
        Reply::empty(204).with("ETag", format!("\"{}\"", version(&row)))
    }
}

/// A key as a part of an address.
pub(super) fn encoded(key: &str) -> String {
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(key, SET).to_string()
}

/// The row version: eight bytes in base64.
pub(super) fn version(row: &Value) -> String {
    STANDARD.encode(row["_stamp"].as_i64().unwrap_or(0).to_be_bytes())
}

/// When a row was changed.
pub(super) fn modified(row: &Value) -> DateTime<Utc> {
    text(row, "_modified").parse().unwrap_or_default()
}

/// When a row was made.
pub(super) fn created(row: &Value) -> DateTime<Utc> {
    text(row, "_created").parse().unwrap_or_default()
}

/// Text of a field, "" when it is not there.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// True when a field is there and holds something.
pub(super) fn filled(fields: &Fields, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

/// True when a number is the one that was sent in an address.
pub(super) fn is_number(value: &Value, sent: &str) -> bool {
    value.as_i64().is_some_and(|number| sent.parse() == Ok(number))
}

/// What is at a path of a row (`mainContact.email`); lists on the way are looked into.
pub(super) fn at<'a>(row: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![row];
    for part in path.split('.') {
        found = found
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) => items.iter().collect(),
                other => vec![other],
            })
            .filter_map(|value| value.get(part))
            .collect();
    }
    found
        .into_iter()
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        })
        .collect()
}

/// A day out of any of the forms bodies and queries use.
pub(super) fn day(value: &str) -> Option<String> {
    let date: chrono::NaiveDate = value.get(..10)?.parse().ok()?;
    let rest = value.get(10..).unwrap_or_default();
    let known = rest.is_empty()
        || rest.starts_with(['T', ' ']) && super::query::moment(&format!("{}T{}", &value[..10], clean(rest))).is_some();
    known.then(|| date.format("%Y-%m-%dT00:00:00").to_string())
}

/// The time of a day without its zone.
fn clean(rest: &str) -> String {
    let time = rest.trim_start_matches(['T', ' ']).trim_end_matches('Z');
    time.split(['+']).next().map(|time| time.split('-').next().unwrap_or(time)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_in_many_forms() {
        for text in ["2025-01-27", "2025-01-27T10:00:00", "2025-01-27T10:00:00.123Z", "2025-01-27T10:00:00+01:00"] {
            assert_eq!(day(text).as_deref(), Some("2025-01-27T00:00:00"), "{text}");
        }
        for text in ["", "27-01-2025", "2025-13-01", "2025-01-27x", "2025-01-27T99:00:00"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn paths_look_into_lists() {
        let row = json!({"a": {"b": [{"c": 1}, {"c": 2}]}});
        assert_eq!(at(&row, "a.b.c"), [&json!(1), &json!(2)]);
        assert!(at(&row, "a.x").is_empty());
    }
}
