//! A native record made ready for rows: a few things are added under names of their own. Of an order:
//!
//! * `meta`: the record's `meta_data` as a group, key → value (the last one wins), on the order and on each line
//! * `taxes[].rate_id` and `taxes[].rate_percent` on each line, joined from `tax_lines`
//! * `vat_number`: the first filled one of the meta keys that the connection names in `vat_number_meta`
//! * `options`: the options of a variation that the line's name does not show yet
//! * `part_of`: the id of the line that a line is a part of, when a bundle was sold
//!
//! Plugins change the form of almost everything, so absent, null, empty and objects in place of lists are all taken.

pub mod bundle;
pub mod customer;
pub mod product;
pub mod refund;

use chrono::{DateTime, NaiveDateTime, Utc};
use koppel_core::message::SourceRecord;
use koppel_core::ports::Changed;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

const LISTS: [&str; 3] = ["line_items", "shipping_lines", "fee_lines"];
/// Statuses of what is not an order: thrown away, or not placed yet.
const NO_ORDER: [&str; 3] = ["trash", "auto-draft", "checkout-draft"];

/// The id of a native record as a number, for ordering.
pub fn id(record: &Value) -> Option<u64> {
    number(record.get("id")?)
}

/// A whole number, also when it comes as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The record is an order that somebody placed.
pub fn is_order(record: &Value) -> bool {
    !record.get("status").and_then(Value::as_str).is_some_and(|status| NO_ORDER.contains(&status))
}

/// Id, number and date of a native record that was listed without its content.
pub fn changed(raw: &Value) -> Option<Changed> {
    let key = NonEmpty::new(text(&raw["id"]))?;
    let shown = [text(&raw["number"]), text(&raw["sku"])].into_iter().find(|text| !text.is_empty());
    let label = shown.unwrap_or_else(|| key.to_string());
    Some(Changed { key, label, at: utc(&raw["date_modified_gmt"])? })
}

/// Makes a source record of a native order. `vat_keys` are the shop's own meta keys of a VAT number.
pub fn order(mut raw: Value, vat_keys: &[String]) -> Result<SourceRecord, Failure> {
    let key = text(&raw["id"]);
    let Some(key) = NonEmpty::new(&key) else {
        return Err(Failure::reject(Cause::new("order_without_id", "the shop answered an order without an id")));
    };
    let number = text(&raw["number"]);
    let label = if number.is_empty() { key.to_string() } else { number };
    if raw["number"].is_null() {
        raw["number"] = Value::String(label.clone());
    }
    let partition = partition(&raw, &key);
    let modified_at = utc(&raw["date_modified_gmt"]);
    prepare(&mut raw, vat_keys);
    Ok(SourceRecord { key, label, partition, modified_at, raw })
}

/// Orders of one customer are one lane: the e-mail address, else the account, else the order alone.
fn partition(raw: &Value, key: &NonEmpty) -> String {
    let email = text(&raw["billing"]["email"]).trim().to_lowercase();
    if email.contains('@') {
        return email;
    }
    match text(&raw["customer_id"]).as_str() {
        "" | "0" => format!("order:{key}"),
        id => format!("customer:{id}"),
    }
}

fn prepare(raw: &mut Value, vat_keys: &[String]) {
    let rates = list(&raw["tax_lines"]);
    let meta = meta(raw);
    raw["vat_number"] = vat_number(&meta, vat_keys);
    raw["meta"] = meta;
    for name in LISTS {
        let mut lines: Vec<Value> = list(&raw[name]).into_iter().map(|line| prepare_line(line, &rates)).collect();
        if name == "line_items" {
            bundle::link(&mut lines);
        }
        raw[name] = Value::Array(lines);
    }
    for name in ["tax_lines", "coupon_lines", "refunds"] {
        raw[name] = Value::Array(list(&raw[name]));
    }
}

/// The first filled one of these keys.
fn vat_number(meta: &Value, keys: &[String]) -> Value {
    let filled = keys.iter().map(|key| text(&meta[key])).find(|text| !text.trim().is_empty());
    filled.map_or(Value::Null, Value::String)
}

fn prepare_line(mut line: Value, rates: &[Value]) -> Value {
    if !line.is_object() {
        return line;
    }
    line["meta"] = meta(&line);
    let taxes = list(&line["taxes"]).into_iter().map(|mut tax| {
        let id = text(&tax["id"]);
        let rate = rates.iter().find(|rate| text(&rate["rate_id"]) == id);
        if tax.is_object() {
            tax["rate_percent"] = rate.map_or(Value::Null, |rate| rate["rate_percent"].clone());
            tax["rate_id"] = Value::String(id);
        }
        tax
    });
    // A rate that does not apply to the line comes as an entry without an amount.
    let taxes = taxes.filter(|tax| !text(&tax["total"]).is_empty()).collect();
    line["taxes"] = Value::Array(taxes);
    line["options"] = options(&line);
    line
}

/// `Colour: Red, Size: S` of a variation, without what its name shows already.
fn options(line: &Value) -> Value {
    let name = text(&line["name"]);
    let shown: Vec<String> = list(&line["meta_data"])
        .iter()
        .filter_map(|meta| {
            let key = text(&meta["display_key"]);
            let value = text(&meta["display_value"]);
            let hidden = text(&meta["key"]).starts_with('_');
            (!hidden && !key.is_empty() && !value.is_empty() && !name.contains(&value))
                .then(|| format!("{key}: {value}"))
        })
        .collect();
    if shown.is_empty() { Value::Null } else { Value::String(shown.join(", ")) }
}

pub(super) fn meta(record: &Value) -> Value {
    let mut group = Map::new();
    for entry in list(&record["meta_data"]) {
        if let Some(key) = entry.get("key").and_then(Value::as_str) {
            group.insert(key.to_owned(), entry.get("value").cloned().unwrap_or_default());
        }
    }
    json!(group)
}

/// WordPress writes the markup characters of names as entities; everything else is as it is.
pub fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    // The ampersand comes last, so that what it escapes is not read twice.
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#039;", "'"), ("&#39;", "'"), ("&euro;", "€"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

/// A list, whatever PHP made of it: an array, or an object with numbers as keys.
pub(super) fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Object(map) if map.keys().all(|key| key.bytes().all(|b| b.is_ascii_digit())) => {
            map.values().cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// A text or number as text; everything else is none.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A `…_gmt` moment, which WooCommerce writes without a zone.
pub(super) fn utc(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?.trim().trim_end_matches('Z');
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok().map(|moment| moment.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_data_is_a_group_whatever_its_form() {
        let record = order(
            json!({
                "id": 7, "number": "W-7", "date_modified_gmt": "2026-11-22T05:08:04",
                "billing": {"email": " Jan@Example.test "},
                "meta_data": {
                    "0": {"id": 1, "key": "a.b", "value": 1},
                    "1": {"id": 2, "key": "a.b", "value": {"c": "d"}},
                    "2": {"id": 3, "key": "my_vat", "value": "NL1"},
                },
            }),
            &["other".to_owned(), "my_vat".to_owned()],
        )
        .unwrap();
        assert_eq!(record.raw["meta"], json!({"a.b": {"c": "d"}, "my_vat": "NL1"}));
        assert_eq!(record.raw["vat_number"], "NL1");
        assert_eq!(record.key.as_str(), "7");
        assert_eq!(record.label, "W-7");
        assert_eq!(record.partition, "jan@example.test");
        assert_eq!(record.modified_at.unwrap().to_rfc3339(), "2026-11-22T05:08:04+00:00");
        assert_eq!(record.raw["line_items"], json!([]));
    }

    #[test]
    fn the_lane_follows_the_customer() {
        let lane = |raw| order(raw, &[]).unwrap().partition;
        assert_eq!(lane(json!({"id": "8", "billing": {"email": ""}, "customer_id": 3})), "customer:3");
        assert_eq!(lane(json!({"id": 8, "billing": null, "customer_id": 0})), "order:8");
        assert!(order(json!({"id": null}), &[]).is_err());
    }

    #[test]
    fn rates_are_joined_and_unused_ones_dropped() {
        let record = order(
            json!({
                "id": 1,
                "tax_lines": [{"rate_id": 4, "rate_percent": 9}],
                "line_items": [{"name": "Tea", "taxes": [{"id": 4, "total": "0.09"}, {"id": 1, "total": ""}]}],
            }),
            &[],
        )
        .unwrap();
        let taxes = &record.raw["line_items"][0]["taxes"];
        assert_eq!(*taxes, json!([{"id": 4, "total": "0.09", "rate_percent": 9, "rate_id": "4"}]));
    }

    #[test]
    fn options_show_what_the_name_does_not() {
        let line = |name: &str| {
            json!({"name": name, "meta_data": [
                {"key": "pa_size", "value": "s", "display_key": "Size", "display_value": "S-38"},
                {"key": "_reduced_stock", "value": "1", "display_key": "_reduced_stock", "display_value": "1"},
                {"key": "lens", "value": ["a"], "display_key": "Lens", "display_value": ["a"]},
            ]})
        };
        assert_eq!(options(&line("Shirt")), json!("Size: S-38"));
        assert_eq!(options(&line("Shirt - S-38")), Value::Null);
    }
}
