//! Credits: a refund is an invoice that gives back, together with its order: `{ refund, order }`.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Around, amounts, decimal, id_in, moment, order as order_record, prepare_row, text};

/// The invoice gives back.
pub fn is_credit(invoice: &Value) -> bool {
    text(&invoice["type"]).trim().eq_ignore_ascii_case("credit")
}

/// The address of the order that an invoice belongs to.
pub fn order_link(invoice: &Value) -> &Value {
    if invoice["order"].is_object() { &invoice["order"]["href"] } else { &invoice["order"] }
}

/// The key of a refund: its order and itself, because both are read.
pub fn key(order: &str, invoice: &str) -> Option<NonEmpty> {
    NonEmpty::new(format!("{order}/{invoice}")).filter(|_| !order.is_empty() && !invoice.is_empty())
}

/// Makes a source record of a credit invoice, its rows, and its order with rows.
pub fn record(
    mut invoice: Value,
    rows: Vec<Value>,
    order: Value,
    order_rows: Vec<Value>,
    around: &Around<'_>,
) -> Result<SourceRecord, Failure> {
    let order = order_record(order, order_rows, around)?;
    let id = text(&invoice["id"]);
    let Some(key) = key(order.key.as_str(), &id) else {
        return Err(Failure::reject(Cause::new("refund_without_id", "the shop answered an invoice without an id")));
    };
    let rows: Vec<Value> = rows.into_iter().map(prepare_row).collect();
    let mut worked_out = amounts::of_credit(&invoice, &rows, around.costs_vat_percent);
    // What is given back is below zero, whatever the shop's sign for it.
    let lines = worked_out.rows.iter().chain(worked_out.charges.iter().map(|charge| &charge.amounts));
    if lines.map(|amounts| amounts.net + amounts.tax()).sum::<Decimal>() > Decimal::ZERO {
        worked_out.rows.iter_mut().for_each(amounts::Amounts::negate);
        worked_out.charges.iter_mut().for_each(|charge| charge.amounts.negate());
    }
    worked_out.total = worked_out.total.abs();
    worked_out.tax = worked_out.tax.abs();
    let rows = rows.into_iter().zip(&worked_out.rows).map(|(mut row, amounts)| {
        let count = decimal(&row["count"]).unwrap_or_default().abs();
        let count = if amounts.net > Decimal::ZERO { count } else { -count };
        row["quantity"] = json!(count.normalize().to_string());
        // The row of the order that is given back.
        row["order_row_id"] = json!(id_in(&row["orderrow"]["href"]).map(|id| id.to_string()));
        row
    });
    let rows = rows.collect();
    worked_out.put(&mut invoice, rows);
    let created = moment(&invoice["create_date"]);
    invoice["placed_at"] = json!(created.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)));
    invoice["placed_on"] = json!(created.map(|at| at.with_timezone(&around.zone).date_naive().to_string()));
    let shown = text(&invoice["invoicenumber_full"]);
    let shown = if shown.trim().is_empty() { id } else { shown };
    Ok(SourceRecord {
        key,
        label: format!("{} credit {shown}", order.label),
        partition: order.partition,
        modified_at: None,
        raw: json!({ "refund": invoice, "order": order.raw }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credit_brings_its_order_and_is_below_zero() {
        let around = Around { zone: chrono_tz::Europe::Amsterdam, paymethod: None, costs_vat_percent: None };
        let order = json!({
            "id": 31, "ordernumber_full": "W31", "status": 7, "customer": {"email": "Jan@B.test"}, "total_price": 24.2,
            "total_tax": 4.2, "taxes_included": true, "order_row_taxes_included": true,
        });
        let order_rows = vec![json!({"id": 5, "count": 2, "total_price": 24.2, "tax": 21, "product_number": "MUG"})];
        for sign in ["", "-"] {
            let invoice = json!({
                "id": 90, "invoicenumber_full": "F90", "type": "credit", "create_date": "2026-11-22T05:08:04Z",
                "total_price_inc_tax": format!("{sign}12.10"), "total_tax": format!("{sign}2.1"),
                "taxes_included": true, "invoice_row_taxes_included": true,
            });
            assert!(is_credit(&invoice));
            let rows = vec![json!({
                "id": 7, "count": format!("{sign}1"), "total_price": format!("{sign}12.10"), "tax": 21,
                "product_number": "MUG", "orderrow": {"href": "https://shop.test/api/rest/v1/orderrows/5/"},
            })];
            let found = record(invoice, rows, order.clone(), order_rows.clone(), &around).unwrap();
            assert_eq!((found.key.as_str(), found.label.as_str()), ("31/90", "W31 credit F90"));
            assert_eq!(found.partition, "jan@b.test");
            let row = &found.raw["refund"]["rows"][0];
            assert_eq!((&row["quantity"], &row["net"], &row["vat"]), (&json!("-1"), &json!("-10"), &json!("-2.1")));
            assert_eq!((&row["order_row_id"], &found.raw["refund"]["paid_total"]), (&json!("5"), &json!("12.1")));
            assert_eq!(found.raw["order"]["status"], "completed");
        }
    }
}
