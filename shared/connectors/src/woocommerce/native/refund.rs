//! Refunds, each together with its order: `{ refund, order }`, both made ready as orders are.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Value, json};

use super::{LISTS, is_order, list, meta, order as order_record, prepare_line, text, utc};

/// The key of a refund: its order and itself, because it is read below its order.
pub fn key(order: &str, refund: &str) -> Option<NonEmpty> {
    NonEmpty::new(format!("{order}/{refund}")).filter(|_| !order.is_empty() && !refund.is_empty())
}

/// Makes a source record of a refund and its order; `None` when the order is thrown away.
pub fn record(mut refund: Value, order: Value, vat_keys: &[String]) -> Result<Option<SourceRecord>, Failure> {
    if !is_order(&order) {
        return Ok(None);
    }
    let order = order_record(order, vat_keys)?;
    let id = text(&refund["id"]);
    let Some(key) = key(order.key.as_str(), &id) else {
        return Err(Failure::reject(Cause::new("refund_without_id", "the shop answered a refund without an id")));
    };
    // The order names every rate that was charged; what is given back names only some of them.
    let rates = list(&order.raw["tax_lines"]);
    refund["meta"] = meta(&refund);
    for name in LISTS {
        let lines: Vec<Value> = list(&refund[name]).into_iter().map(|line| prepare_line(line, &rates)).collect();
        refund[name] = Value::Array(lines);
    }
    Ok(Some(SourceRecord {
        key,
        label: format!("{} refund {id}", order.label),
        partition: order.partition,
        modified_at: utc(&refund["date_created_gmt"]),
        raw: json!({ "refund": refund, "order": order.raw }),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_brings_its_order_and_takes_the_rates_of_it() {
        let order = json!({
            "id": 31, "number": "W-31", "status": "refunded", "billing": {"email": "Jan@Example.test"},
            "tax_lines": [{"rate_id": 1, "rate_percent": 21}],
        });
        let refund = json!({
            "id": 32, "date_created_gmt": "2026-11-22T05:08:05",
            "line_items": {"0": {"quantity": -1, "taxes": [{"id": 1, "total": "-2.10"}],
                "meta_data": [{"key": "_refunded_item_id", "value": 24}]}},
        });
        let found = record(refund.clone(), order.clone(), &[]).unwrap().unwrap();
        assert_eq!((found.key.as_str(), found.label.as_str()), ("31/32", "W-31 refund 32"));
        assert_eq!(found.partition, "jan@example.test");
        assert_eq!(found.modified_at.unwrap().to_rfc3339(), "2026-11-22T05:08:05+00:00");
        let line = &found.raw["refund"]["line_items"][0];
        assert_eq!((&line["meta"]["_refunded_item_id"], &line["taxes"][0]["rate_percent"]), (&json!(24), &json!(21)));
        assert_eq!(found.raw["order"]["line_items"], json!([]));
        let mut thrown_away = order;
        thrown_away["status"] = json!("trash");
        assert!(record(refund, thrown_away, &[]).unwrap().is_none());
    }
}
