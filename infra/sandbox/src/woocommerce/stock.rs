//! What an order does to the stock: taken when it is accepted, given back when it is called off.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::orders::set_moment;
use super::product_fields::{follow_variations, status_of};
use crate::state::Store;

const TAKEN: &[&str] = &["processing", "completed", "on-hold"];
const GIVEN_BACK: &[&str] = &["cancelled", "failed", "pending"];

/// Adds to (or takes from) the stock of a product or variation that keeps one, or of the parent that keeps it for it;
/// the id of what was changed.
pub(super) fn add(store: &mut Store, now: DateTime<Utc>, line: &Value, change: i64) -> Option<i64> {
    let mut place = match line["variation_id"].as_i64().unwrap_or(0) {
        0 => ("products", line["product_id"].to_string()),
        id => ("variations", id.to_string()),
    };
    if place.0 == "variations" && store.get("variations", &place.1)?["manage_stock"] != json!(true) {
        place = ("products", line["product_id"].to_string());
    }
    let mut product = store.get(place.0, &place.1).filter(|row| row["manage_stock"] == json!(true))?.clone();
    let left = product["stock_quantity"].as_i64().unwrap_or(0) + change;
    product["stock_quantity"] = json!(left);
    product["stock_status"] = json!(status_of(&product, left));
    set_moment(&mut product, "date_modified", now);
    store.put(place.0, &place.1, product);
    if place.0 == "variations" {
        follow_variations(store, line["product_id"].as_i64().unwrap_or(0));
    }
    place.1.parse().ok()
}

/// Takes or gives back stock once, as the status says; the line remembers it in `_reduced_stock`. The ids of what changed.
pub(super) fn follow_status(store: &mut Store, now: DateTime<Utc>, order: &mut Value, status: &str) -> Vec<i64> {
    let mut changed = Vec::new();
    let (take, give) = (TAKEN.contains(&status), GIVEN_BACK.contains(&status));
    for line in order.get_mut("line_items").and_then(Value::as_array_mut).into_iter().flatten() {
        let quantity = line["quantity"].as_i64().unwrap_or(0);
        let at = line["meta_data"].as_array().into_iter().flatten().position(|row| row["key"] == "_reduced_stock");
        let change = match (take, give, at) {
            (true, _, None) => -quantity,
            (_, true, Some(_)) => quantity,
            _ => continue,
        };
        let Some(product) = add(store, now, line, change) else { continue };
        changed.push(product);
        let Some(meta) = line.get_mut("meta_data").and_then(Value::as_array_mut) else { continue };
        match at {
            Some(at) => {
                meta.remove(at);
            }
            None => {
                let id = store.next_number("meta", 1000);
                let text = quantity.to_string();
                meta.push(json!({"id": id, "key": "_reduced_stock", "value": text, "display_key": "_reduced_stock",
                    "display_value": text}));
            }
        }
    }
    changed
}
