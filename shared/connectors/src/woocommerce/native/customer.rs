//! A native customer made ready for rows: `meta` and `vat_number` are added as they are to orders.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::Value;

use super::{meta, text, utc, vat_number};

/// Roles of those who run the shop. Whoever else has an account may be a buyer: plugins add roles of their own.
const STAFF: [&str; 5] = ["administrator", "shop_manager", "editor", "author", "contributor"];

/// The account belongs to somebody who buys.
pub fn is_buyer(record: &Value) -> bool {
    !record.get("role").and_then(Value::as_str).is_some_and(|role| STAFF.contains(&role))
}

/// Makes a source record of a native customer. `vat_keys` are the shop's own meta keys of a VAT number.
pub fn record(mut raw: Value, vat_keys: &[String]) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("customer_without_id", "the shop answered a customer without an id")));
    };
    let email = text(&raw["email"]).trim().to_lowercase();
    let meta = meta(&raw);
    raw["vat_number"] = vat_number(&meta, vat_keys);
    raw["meta"] = meta;
    if let Some(fields) = raw.as_object_mut() {
        fields.remove("_links");
        fields.remove("avatar_url");
    }
    let partition = if email.is_empty() { format!("customer:{key}") } else { email };
    // Labels are shown and kept in the clear: the number in the shop, not the address.
    Ok(SourceRecord { modified_at: utc(&raw["date_modified_gmt"]), label: key.to_string(), key, partition, raw })
}
