//! The dialect of OData that Exact Online speaks: literals, filters, both list shapes, padding and local dates.
//!
//! Everything here is pure. A value that goes into a filter passes through [`text`] or [`guid`], so that an apostrophe
//! or an ampersand in shop data can neither break a query nor widen it.

use chrono::{DateTime, NaiveDateTime};
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::http::request::encode;

/// Most terms of one `or` chain; longer chains were seen to slow down or fail.
pub(super) const TERMS_PER_FILTER: usize = 25;
/// Longest path with query that is sent: servers and proxies on the way cut or refuse more.
pub(super) const URL_MAX_CHARS: usize = 1_900;
/// Width of account codes: left-padded with spaces in answers and in exact filters.
const ACCOUNT_CODE_WIDTH: usize = 18;

/// A text literal; an apostrophe is doubled.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A GUID literal; anything that is not a GUID is refused, so that it can never become part of a query.
pub(super) fn guid(value: &str) -> Result<String, Failure> {
    let id = uuid::Uuid::try_parse(value.trim()).map_err(|_| {
        Failure::reject(
            Cause::new("not_a_guid", format!("«{value}» is not an id of Exact Online"))
                .advice("give the id as 8-4-4-4-12 hexadecimal characters, or look the code up instead"),
        )
    })?;
    Ok(format!("guid'{}'", id.hyphenated()))
}

/// Cuts terms into filters of at most [`TERMS_PER_FILTER`] of them that also keep the URL short. Terms that belong to one
/// thing stay together.
pub(super) fn filters_of(terms: &[Vec<String>], rest_of_url: usize) -> Vec<String> {
    const OR: &str = " or ";
    let room = URL_MAX_CHARS.saturating_sub(rest_of_url);
    let (mut filters, mut chunk, mut length) = (Vec::new(), Vec::new(), 0);
    for together in terms {
        let added: usize = together.iter().map(|term| encode(term).len() + encode(OR).len()).sum();
        let full = chunk.len() + together.len() > TERMS_PER_FILTER || length + added > room;
        if !chunk.is_empty() && full {
            filters.push(std::mem::take(&mut chunk).join(OR));
            length = 0;
        }
        length += added;
        chunk.extend(together.iter().map(String::as_str));
    }
    if !chunk.is_empty() {
        filters.push(chunk.join(OR));
    }
    filters
}

/// A literal of a moment on the clock of the site.
pub(super) fn moment(local: NaiveDateTime) -> String {
    format!("datetime'{}'", local.format("%Y-%m-%dT%H:%M:%S"))
}

/// An account code as filters need it: 18 wide, padded on the left.
pub(super) fn pad_account_code(code: &str) -> String {
    format!("{:>ACCOUNT_CODE_WIDTH$}", code.trim())
}

/// The rows of an answer, and the link to the next page. A list comes as `{"d":{"results":[…]}}` or as `{"d":[…]}`,
/// a single entity as `{"d":{…}}`.
pub(super) fn rows(answer: &Value) -> Option<(Vec<&Value>, Option<&str>)> {
    match answer.get("d")? {
        Value::Array(rows) => Some((rows.iter().collect(), None)),
        Value::Object(inner) => match inner.get("results") {
            Some(Value::Array(rows)) => {
                let next = inner.get("__next").and_then(Value::as_str).filter(|next| !next.is_empty());
                Some((rows.iter().collect(), next))
            }
            _ => Some((vec![answer.get("d")?], None)),
        },
        _ => None,
    }
}

/// A text of an answer without its padding; absent, null and blank are one.
pub(super) fn field(row: &Value, name: &str) -> Option<String> {
    let text = match row.get(name)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A yes/no of an answer; some are booleans and some are 0 or 1.
pub(super) fn flag(row: &Value, name: &str) -> Option<bool> {
    match row.get(name)? {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => Some(number.to_string() != "0"),
        Value::String(text) => match text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A number of an answer, exactly as it was written.
pub(super) fn decimal(row: &Value, name: &str) -> Option<Decimal> {
    let text = field(row, name)?;
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// A moment of an answer. `/Date(ms)/` carries the local wall clock of the country's site as if it were UTC.
pub(super) fn local(row: &Value, name: &str) -> Option<NaiveDateTime> {
    let text = field(row, name)?;
    if let Some(inner) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        let millis: i64 = inner.parse().ok()?;
        return DateTime::from_timestamp_millis(millis).map(|moment| moment.naive_utc());
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn literals_cannot_break_out_of_a_filter() {
        assert_eq!(text("O'Brien' or Code ne '"), "'O''Brien'' or Code ne '''");
        assert_eq!(guid("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11").unwrap(), "guid'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'");
        assert!(guid("x' or 1 eq 1").is_err());
    }

    fn terms(fields: &[&str], literals: &[String]) -> Vec<Vec<String>> {
        literals.iter().map(|one| fields.iter().map(|field| format!("{field} eq {one}")).collect()).collect()
    }

    #[test]
    fn sixty_keys_make_three_filters_and_long_keys_make_more() {
        let keys: Vec<String> = (0..60).map(|n| text(&format!("SKU-{n:04}"))).collect();
        let made = filters_of(&terms(&["Code"], &keys), 100);
        assert_eq!(made.iter().map(|f| f.matches(" eq ").count()).collect::<Vec<_>>(), [25, 25, 10]);
        let long: Vec<String> = (0..25).map(|n| text(&format!("{n}{}", "é".repeat(80)))).collect();
        for filter in filters_of(&terms(&["Code"], &long), 100) {
            assert!(encode(&filter).len() <= URL_MAX_CHARS, "{}", encode(&filter).len());
        }
        let pairs = filters_of(&terms(&["Email", "BusinessEmail"], &keys), 100);
        assert!(pairs.iter().all(|f| f.matches(" eq ").count() <= TERMS_PER_FILTER));
        assert_eq!(pairs.iter().map(|f| f.matches(" eq ").count()).sum::<usize>(), 120);
    }

    #[test]
    fn both_list_shapes_and_a_single_entity_are_read() {
        let wrapped = json!({"d":{"results":[{"Code":"1"}],"__next":"https://x/next"}});
        assert_eq!(rows(&wrapped).unwrap(), (vec![&json!({"Code":"1"})], Some("https://x/next")));
        let bare = json!({"d":[{"Code":"1"},{"Code":"2"}]});
        assert_eq!(rows(&bare).unwrap().0.len(), 2);
        let single = json!({"d":{"Code":"1"}});
        assert_eq!(rows(&single).unwrap(), (vec![&json!({"Code":"1"})], None));
        assert!(rows(&json!({"error":{}})).is_none());
    }

    #[test]
    fn padding_goes_and_comes() {
        assert_eq!(pad_account_code("25"), "                25");
        let row = json!({"Code":"                25","Vat":"5  ","Empty":"   ","Null":null});
        assert_eq!(field(&row, "Code").as_deref(), Some("25"));
        assert_eq!(field(&row, "Vat").as_deref(), Some("5"));
        assert_eq!((field(&row, "Empty"), field(&row, "Null"), field(&row, "Gone")), (None, None, None));
    }

    #[test]
    fn numbers_stay_exact_and_flags_have_two_spellings() {
        let row: Value =
            serde_json::from_str(r#"{"P":0.21,"E":2.1E-1,"B":1,"Z":0,"T":true,"A":1234567890.123456789}"#).unwrap();
        assert_eq!(decimal(&row, "P").unwrap().to_string(), "0.21");
        assert_eq!(decimal(&row, "E").unwrap().to_string(), "0.21");
        assert_eq!(decimal(&row, "A").unwrap().to_string(), "1234567890.123456789");
        assert_eq!((flag(&row, "B"), flag(&row, "Z"), flag(&row, "T")), (Some(true), Some(false), Some(true)));
    }

    #[test]
    fn dates_are_the_wall_clock_of_the_site() {
        // It was 14:28:10 UTC when the site in Paris wrote this.
        let row = json!({"Created":"/Date(1780331290000)/","Day":"/Date(1780272000000)/"});
        let created = local(&row, "Created").unwrap();
        assert_eq!(created.to_string(), "2026-06-01 16:28:10");
        assert_eq!(local(&row, "Day").unwrap().to_string(), "2026-06-01 00:00:00");
    }
}
