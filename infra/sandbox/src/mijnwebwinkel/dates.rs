//! Dates and times without a zone, as the shop writes and reads them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

/// `yyyy-mm-dd`.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10)
}

/// `yyyy-mm-dd hh:mm:ss`.
pub(super) fn local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()
}

/// The moment of a time without a zone.
pub(super) fn moment(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    local(text).and_then(|local| zone.from_local_datetime(&local).earliest()).map(|time| time.with_timezone(&Utc))
}

/// A moment as it is kept in a row: to the second, so that it compares as text.
pub(super) fn kept(at: DateTime<Utc>) -> Value {
    json!(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A moment that was kept.
pub(super) fn read(row: &Value, field: &str) -> Option<DateTime<Utc>> {
    row[field].as_str().and_then(|text| text.parse().ok())
}

/// Date and time of a moment, in the zone of the shop.
pub(super) fn shown(at: DateTime<Utc>, zone: Tz) -> (String, String) {
    let at = at.with_timezone(&zone);
    (at.format("%Y-%m-%d").to_string(), at.format("%H:%M:%S").to_string())
}
