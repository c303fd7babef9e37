//! What an order does to the stock: taken when it is accepted, given back when it is called off.

use serde_json::{Value, json};

use crate::state::Store;

const TAKEN: &[&str] = &["processing", "completed", "on-hold"];
const GIVEN_BACK: &[&str] = &["cancelled", "failed", "pending"];

/// Takes or gives back stock once, as the status says; the line remembers it in `_reduced_stock`.
pub(super) fn follow_status(store: &mut Store, order: &mut Value, status: &str) {
    let (take, give) = (TAKEN.contains(&status), GIVEN_BACK.contains(&status));
    for line in order.get_mut("line_items").and_then(Value::as_array_mut).into_iter().flatten() {
        let quantity = line["quantity"].as_i64().unwrap_or(0);
        let (table, id) = match line["variation_id"].as_i64().unwrap_or(0) {
            0 => ("products", line["product_id"].to_string()),
            id => ("variations", id.to_string()),
        };
        let Some(mut product) = store.get(table, &id).cloned() else { continue };
        if product["manage_stock"] != json!(true) {
            continue;
        }
        let Some(meta) = line.get_mut("meta_data").and_then(Value::as_array_mut) else { continue };
        let at = meta.iter().position(|row| row["key"] == "_reduced_stock");
        let change = match (take, give, at) {
            (true, _, None) => -quantity,
            (_, true, Some(_)) => quantity,
            _ => continue,
        };
        let left = product["stock_quantity"].as_i64().unwrap_or(0) + change;
        product["stock_quantity"] = json!(left);
        let empty = if product["backorders"] == "no" { "outofstock" } else { "onbackorder" };
        product["stock_status"] = json!(if left > 0 { "instock" } else { empty });
        store.put(table, &id, product);
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
}
