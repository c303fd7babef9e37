//! Invoices: made from an order, and given the number of a document elsewhere.

use serde_json::{Value, json};

use crate::state::Store;
use crate::text::{amount, number};

/// Statuses of an invoice.
pub(super) const STATUSES: &[&str] = &["paid", "unpaid", "reimbursed"];

/// Makes the invoice of an order; None: the order has one for everything already.
pub(super) fn make(store: &mut Store, order: i64, now: &str) -> Option<i64> {
    let key = order.to_string();
    let of_order = store.get("orders", &key).cloned()?;
    if store.rows("invoices").any(|row| row["_order"] == order) {
        return None;
    }
    let id = store.next_number("invoices", 1);
    let mut rows: Vec<Value> =
        store.find("orderrows", "order_id", &key).unwrap_or_default().into_iter().cloned().collect();
    for row in &mut rows {
        let row_id = store.next_number("invoicerows", 1);
        row["orderrow_id"] = row["id"].clone();
        (row["id"], row["invoice_id"]) = (json!(row_id), json!(id.to_string()));
        row.as_object_mut().map(|map| map.shift_remove("order_id"));
        store.put("invoicerows", &row_id.to_string(), row.clone());
    }
    let including = amount(&of_order, "total_price");
    let mut invoice = json!({"id": id, "_order": order, "invoicenumber_prefix": "F", "invoicenumber": 5000 + id,
        "invoicenumber_full": format!("F{}", 5000 + id), "create_date": now,
        "status": if of_order["paid"] == true { "paid" } else { "unpaid" }, "type": "debit",
        "status_name": if of_order["paid"] == true { "Betaald" } else { "Openstaand" }, "payment_link_sent": null,
        "invoice_row_taxes_included": of_order["order_row_taxes_included"], "external_reference": null,
        "total_price_inc_tax": number(including),
        "total_price_exc_tax": number(including - amount(&of_order, "total_tax")),
        "order": super::render::href(&format!("orders/{order}")),
        "download_link": format!("{}/invoices/{id}.pdf", super::SITE)});
    for field in [
        "ordernumber_prefix",
        "ordernumber",
        "ordernumber_full",
        "taxes_included",
        "is_intra_community_order",
        "shipping_taxes_included",
        "shipping_tax_percentage",
        "total_shipping",
        "total_discounts",
        "total_price",
        "total_tax",
        "currency",
        "extra_payment_option",
        "extra_payment_option_price",
        "paymethod_costs",
        "credit_point_discount",
        "extra_costs",
        "extra_costs_description",
        "user",
        "customer",
        "discountcoupon",
    ] {
        invoice[field] = of_order[field].clone();
    }
    store.put("invoices", &id.to_string(), invoice.clone());
    if let Some(mut order) = store.get("orders", &key).cloned() {
        order["invoicenumber"] = invoice["invoicenumber"].clone();
        store.put("orders", &key, order);
    }
    Some(id)
}
