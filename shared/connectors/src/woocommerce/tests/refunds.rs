//! A recorded refund of WooCommerce 11.0.1 becomes a canonical refund.

use koppel_core::document::{Entity, LineKind, Refund};
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, RowFile, Scope, Value, compile};
use serde_json::json;

use super::{recorded, without_empties};
use crate::woocommerce::{FACTS, native};

const REFUNDS: &str = include_str!("../fixtures/refunds.json");

fn recorded_refund() -> serde_json::Value {
    let list: Vec<serde_json::Value> = serde_json::from_str(REFUNDS).unwrap();
    list.into_iter().next().unwrap()
}

fn map(refund: serde_json::Value) -> Refund {
    let order = recorded().into_iter().find(|order| order["id"] == 31).unwrap();
    let record = native::refund::record(refund, order, &[]).unwrap().unwrap();
    let rows = FACTS.rows_for(Side::Source, Entity::Refunds, None).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let sections: serde_json::Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    let fields = FieldCatalogue::parse("woocommerce/fields.yaml", &sections["refund"].to_string()).unwrap();
    let mapping = compile(&file, &Checks::new().catalogued("source", fields)).unwrap();
    let source = Value::from_json(&record.raw);
    let value = mapping.evaluate(&Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref("source", &source)).unwrap();
    serde_json::from_str(&without_empties(value.to_json()).to_string()).unwrap()
}

#[test]
fn the_recorded_refund_says_what_is_given_back_of_which_line() {
    let refund = map(recorded_refund());
    assert_eq!((refund.id.as_str(), refund.reason.as_str()), ("32", "retour"));
    assert_eq!((refund.total, refund.date.unwrap().to_string()), ("12.1".parse().unwrap(), "2026-11-22".into()));
    assert_eq!(refund.created_at.unwrap().to_rfc3339(), "2026-11-22T05:08:05+00:00");
    let [line] = refund.lines.as_slice() else { panic!("{:?}", refund.lines) };
    assert_eq!((line.id.as_str(), line.sku.as_str(), line.kind), ("24", "POSTER-1", LineKind::Product));
    let text = |number: rust_decimal::Decimal| number.normalize().to_string();
    assert_eq!([text(line.quantity), text(line.net), text(line.tax)], ["-1", "-10", "-2.1"]);
    assert_eq!((text(line.rate_percent()), line.taxes.len()), ("21".into(), 1));
}

#[test]
fn shipping_and_fees_come_without_a_quantity_and_an_amount_without_lines() {
    let mut raw = recorded_refund();
    raw["line_items"] = json!([]);
    raw["shipping_lines"] = json!([{"method_title": "PostNL", "method_id": "flat_rate", "total": "-6.95",
        "total_tax": "-1.46", "taxes": [{"id": 1, "total": "-1.46"}],
        "meta_data": [{"key": "_refunded_item_id", "value": 30}]}]);
    // A reduction that was booked as a fee comes back as a charge.
    raw["fee_lines"] = json!([{"name": "Korting", "total": "2.00", "total_tax": "0.42", "taxes": []}]);
    let refund = map(raw.clone());
    let kinds: Vec<(LineKind, &str, bool)> =
        refund.lines.iter().map(|line| (line.kind, line.id.as_str(), line.quantity.is_zero())).collect();
    assert_eq!(kinds, [(LineKind::Shipping, "30", true), (LineKind::Discount, "", true)]);
    (raw["shipping_lines"], raw["fee_lines"]) = (json!(null), json!({}));
    assert!(map(raw).lines.is_empty());
}
