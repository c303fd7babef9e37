//! A native record made ready for rows: a few things are added under names of their own. Of an order:
//!
//! * `rows`: the rows of the order, each with `id`, `sku`, `options`, `quantity`, and its amounts (see `amounts.rs`)
//! * `charges`: shipping, costs and discounts as lines, with their amounts
//! * `paid_total`, `paid_tax`: what the customer pays, and the tax in it
//! * `status`: the status in a word, `status_id` as it came; `placed_at`, `placed_on`: the moment, and the day in the shop's
//!   own time zone
//! * `paymethod_code`: the method of payment as the shop's list names it
//!
//! Numbers come as numbers or as texts, what is empty as null or as an empty text: all are taken.

pub mod amounts;
pub mod customer;
pub mod product;
pub mod refund;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::auth::hex;

/// Statuses of an order by their number, in the order of the shop.
pub const STATUSES: [(u64, &str); 14] = [
    (1, "new"),
    (2, "in_process"),
    (3, "waiting_for_manufacturer"),
    (4, "waiting_for_payment"),
    (5, "sent"),
    (6, "delivered"),
    (7, "completed"),
    (8, "cancelled"),
    (9, "waiting_for_supplier"),
    (10, "being_packed"),
    (11, "ready_for_pickup"),
    (12, "being_assembled"),
    (13, "backorder"),
    (14, "reserved"),
];

/// The number of a status that somebody wrote as a word or as a number.
pub fn status_id(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let known = |(id, word): &&(u64, &str)| *word == text || id.to_string() == text;
    STATUSES.iter().find(known).map(|(id, _)| *id)
}

/// The word for a status.
fn status_word(value: &Value) -> String {
    let known = number(value).and_then(|id| STATUSES.iter().find(|(known, _)| *known == id));
    known.map_or_else(|| text(value), |(_, word)| (*word).to_owned())
}

/// The id of a native record as a number, for ordering.
pub fn id(record: &Value) -> Option<u64> {
    number(record.get("id")?)
}

/// A whole number, also when it comes as text or with decimals that are zero.
pub fn number(value: &Value) -> Option<u64> {
    let amount = decimal(value)?;
    amount.fract().is_zero().then(|| u64::try_from(amount).ok()).flatten()
}

/// A number of any form; `None` when there is none.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = text(value);
    let text = text.trim();
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

/// A text or number as text; everything else is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Yes in any of its forms.
pub fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(_) | Value::String(_) => matches!(text(value).trim(), "1" | "true" | "yes"),
        _ => false,
    }
}

/// A list, whatever became of it on its way: an array, or an object with numbers as keys.
pub fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Object(map) if map.keys().all(|key| key.bytes().all(|b| b.is_ascii_digit())) => {
            map.values().cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// A child that was asked for with its parent.
pub fn collection(record: &Value, name: &str) -> Vec<Value> {
    list(&record[name]["collection"])
}

/// The id at the end of an address.
pub fn id_in(address: &Value) -> Option<u64> {
    let address = text(address);
    address.split(['?', '#']).next()?.split('/').rev().find(|part| !part.is_empty())?.parse().ok()
}

/// A moment in UTC, with or without a zone. A date is its first moment.
pub fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    if let Ok(moment) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z") {
        return Some(moment.with_timezone(&Utc));
    }
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"];
    if let Some(moment) = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        return Some(moment.and_utc());
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|moment| moment.and_utc())
}

/// Changes when a record does. Addresses of pages and files are left out: they may be made anew for every answer.
pub fn fingerprint(record: &Value) -> String {
    let mut record = record.clone();
    drop_addresses(&mut record);
    let digest = ring::digest::digest(&ring::digest::SHA256, record.to_string().as_bytes());
    hex(&digest.as_ref()[..8])
}

fn drop_addresses(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("href") && !name.ends_with("deeplink"));
            fields.values_mut().for_each(drop_addresses);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_addresses),
        _ => {}
    }
}

/// What an order is read with beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Time zone of the shop.
    pub zone: Tz,
    /// The shop's name for the method of payment, when its list has it.
    pub paymethod: Option<&'a str>,
    /// Percent of tax on costs, when the connection says so.
    pub costs_vat_percent: Option<Decimal>,
}

/// Makes a source record of a native order and its rows.
pub fn order(mut raw: Value, rows: Vec<Value>, around: &Around<'_>) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("order_without_id", "the shop answered an order without an id")));
    };
    let number = order_number(&raw).unwrap_or_else(|| key.to_string());
    let partition = partition(&raw, &key);
    prepare(&mut raw, rows, around);
    raw["ordernumber_full"] = json!(number);
    Ok(SourceRecord { key, label: number, partition, modified_at: None, raw })
}

/// The number that the shop shows: with its prefix.
pub fn order_number(raw: &Value) -> Option<String> {
    let full = text(&raw["ordernumber_full"]).trim().to_owned();
    if !full.is_empty() {
        return Some(full);
    }
    let number = text(&raw["ordernumber"]);
    (!number.is_empty()).then(|| format!("{}{number}", text(&raw["ordernumber_prefix"])))
}

/// Orders of one customer are one lane: the e-mail address, else the account, else the order alone.
fn partition(raw: &Value, key: &NonEmpty) -> String {
    let email = text(&raw["customer"]["email"]).trim().to_lowercase();
    if email.contains('@') {
        return email;
    }
    match number(&raw["user"]["id"]) {
        Some(id) if id > 0 => format!("customer:{id}"),
        _ => format!("order:{key}"),
    }
}

fn prepare(raw: &mut Value, rows: Vec<Value>, around: &Around<'_>) {
    let rows: Vec<Value> = rows.into_iter().map(prepare_row).collect();
    let worked_out = amounts::of_order(raw, &rows, around.costs_vat_percent);
    worked_out.put(raw, rows);
    raw["status_id"] = raw["status"].clone();
    raw["status"] = json!(status_word(&raw["status_id"]));
    let placed = moment(&raw["create_date"]);
    raw["placed_at"] = json!(placed.map(|placed| placed.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
    raw["placed_on"] = json!(placed.map(|placed| placed.with_timezone(&around.zone).date_naive().to_string()));
    let code = around.paymethod.map(str::to_owned).unwrap_or_else(|| text(&raw["paymethod"]));
    raw["paymethod_code"] = json!(code);
    // A guest has no account, in one of many forms.
    raw["user_id"] = json!(number(&raw["user"]["id"]).filter(|id| *id > 0).map(|id| id.to_string()));
}

/// A row of an order, a credit or a return, with its article number, options and quantity.
pub fn prepare_row(mut row: Value) -> Value {
    if !row.is_object() {
        return json!({});
    }
    let filled = |name: &str| Some(text(&row[name]).trim().to_owned()).filter(|text| !text.is_empty());
    let sku = filled("sub_product_number").or_else(|| filled("product_number")).unwrap_or_default();
    let options: Vec<String> = list(&row["attributes"])
        .iter()
        .filter_map(|option| {
            let (name, value) = (text(&option["option_name"]), text(&option["value_name"]));
            (!value.is_empty()).then(|| if name.is_empty() { value.clone() } else { format!("{name}: {value}") })
        })
        .collect();
    row["sku"] = json!(sku);
    row["options"] = if options.is_empty() { Value::Null } else { json!(options.join(", ")) };
    row["quantity"] = json!(decimal(&row["count"]).unwrap_or_default().normalize().to_string());
    row["id"] = json!(text(&row["id"]));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_known_in_every_form() {
        assert_eq!((number(&json!("12")), number(&json!(12.0)), number(&json!(""))), (Some(12), Some(12), None));
        assert_eq!(decimal(&json!("1e2")), Some(Decimal::ONE_HUNDRED));
        assert!(is_yes(&json!(true)) && is_yes(&json!("1")) && !is_yes(&json!("")) && !is_yes(&Value::Null));
        for text in
            ["2026-11-22T05:08:04Z", "2026-11-22T05:08:04+00:00", "2026-11-22T05:08:04+0000", "2026-11-22 05:08:04"]
        {
            assert_eq!(moment(&json!(text)).unwrap().to_rfc3339(), "2026-11-22T05:08:04+00:00", "{text}");
        }
        assert_eq!(moment(&json!("2026-11-22")).unwrap().to_rfc3339(), "2026-11-22T00:00:00+00:00");
        assert_eq!(id_in(&json!("https://shop.test/api/rest/v1/orders/31/")), Some(31));
        assert_eq!((status_id("Sent"), status_id("8"), status_id("gone")), (Some(5), Some(8), None));
        assert_eq!((status_word(&json!("13")), status_word(&json!(77))), ("backorder".into(), "77".into()));
    }

    #[test]
    fn the_lane_follows_the_customer() {
        let zone = chrono_tz::Europe::Amsterdam;
        let around = Around { zone, paymethod: None, costs_vat_percent: None };
        let record = |raw| order(raw, Vec::new(), &around);
        assert_eq!(record(json!({"id": 8, "customer": {"email": " Jan@B.test"}})).unwrap().partition, "jan@b.test");
        assert_eq!(record(json!({"id": 8, "user": {"id": "3"}})).unwrap().partition, "customer:3");
        let guest = record(
            json!({"id": 8, "user": [], "customer": {"email": ""}, "ordernumber": 12, "ordernumber_prefix": "W"}),
        );
        let guest = guest.unwrap();
        assert_eq!((guest.partition.as_str(), guest.label.as_str()), ("order:8", "W12"));
        assert_eq!(guest.raw["user_id"], Value::Null);
        assert!(record(json!({"id": null})).is_err());
    }

    #[test]
    fn the_day_is_that_of_the_shop_and_addresses_are_no_change() {
        let around = Around { zone: chrono_tz::Europe::Amsterdam, paymethod: Some("ideal"), costs_vat_percent: None };
        let raw = json!({"id": 1, "status": 5, "create_date": "2026-07-01T22:30:00Z", "paymethod": "x"});
        let made = order(raw, Vec::new(), &around).unwrap().raw;
        assert_eq!((&made["placed_on"], &made["status"]), (&json!("2026-07-02"), &json!("sent")));
        assert_eq!(made["paymethod_code"], "ideal");
        let one = json!({"id": 1, "paid": false, "orderrows": {"href": "a"}, "packing_slip_deeplink": "t=1"});
        let mut other = json!({"id": 1, "paid": false, "orderrows": {"href": "b"}, "packing_slip_deeplink": "t=2"});
        assert_eq!(fingerprint(&one), fingerprint(&other));
        other["paid"] = json!(true);
        assert_ne!(fingerprint(&one), fingerprint(&other));
    }

    #[test]
    fn a_row_is_known_by_the_number_of_its_combination() {
        let row = prepare_row(json!({
            "id": 4, "product_number": "SHIRT", "sub_product_number": "SHIRT-S", "count": 2.0,
            "attributes": [{"option_name": "Size", "value_name": "S"}, {"option_name": "", "value_name": "Engraved"}],
        }));
        assert_eq!(
            (&row["sku"], &row["options"], &row["quantity"]),
            (&json!("SHIRT-S"), &json!("Size: S, Engraved"), &json!("2"))
        );
        assert_eq!(prepare_row(json!({"product_number": "MUG", "sub_product_number": " "}))["sku"], "MUG");
    }
}
