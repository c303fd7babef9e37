//! Orders as they are read, and how one comes into the shop: with rows, amounts, stock and webhooks.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Ctx, Switches, products, totals};
use crate::state::Store;
use crate::text::{amount, number, text, whole};

/// Statuses of an order.
pub(super) const STATUSES: &[(i64, &str)] = &[
    (1, "new"),
    (2, "in process"),
    (3, "waiting for manufacturer"),
    (4, "waiting for payment"),
    (5, "sent"),
    (6, "delivered"),
    (7, "completed"),
    (8, "cancelled"),
    (9, "waiting for supplier"),
    (10, "being packed"),
    (11, "ready for pickup"),
    (12, "being assembled"),
    (13, "backorder"),
    (14, "reserved"),
];
/// What stands before the number of an order.
pub(super) const PREFIX: &str = "W";

/// Totals and user, as the switches say the shop shows them.
pub(super) fn shown(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let switches = ctx.switches;
    if row["_filled"] == true {
        let shipping = if switches.row_total_has_shipping { amount(&row, "total_shipping") } else { Decimal::ZERO };
        row["total_orderrow_price"] = number(amount(&row, "_rows_total") + shipping);
        if switches.total_discounts_has_rows {
            row["total_discounts"] = number(amount(&row, "total_discounts") + amount(&row, "_row_discounts"));
        }
        if switches.exclusive_total == "without_tax" && row["taxes_included"] == false {
            row["total_price"] = number(amount(&row, "total_price") - amount(&row, "total_tax"));
        }
    }
    row["user"] = match row["user"]["id"].as_i64() {
        Some(id) => {
            let shown_id = if switches.numbers_as_text == "none" { json!(id) } else { json!(id.to_string()) };
            json!({"id": shown_id, "discount_percentage": row["user"]["discount_percentage"],
                "href": super::render::href(&format!("users/{id}"))})
        }
        None if switches.guest_user == "empty" => json!({"id": null, "discount_percentage": null, "href": null}),
        None => Value::Null,
    };
    row
}

/// A row of an order, invoice or return.
pub(super) fn shown_row(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let bare = row["attributes"].as_array().is_none_or(Vec::is_empty);
    if bare && ctx.switches.price_with_attributes == "when_attributes" && row.get("order_id").is_some() {
        row["price_with_attributes"] = Value::Null;
        row["total_price_with_attributes"] = Value::Null;
    }
    if let Some(id) = row["orderrow_id"].as_i64() {
        row["orderrow"] = json!({"href": super::render::href(&format!("orderrows/{id}"))});
    }
    row
}

/// Fields every order has.
fn template() -> Value {
    json!({"ordernumber_prefix": PREFIX, "invoicenumber": null, "transaction_id": "", "deliver_method": "Verzenden",
        "deliver_date": null, "take_out_window": null, "is_platform_sale": false, "orderedinlng": "nl", "status": 1,
        "is_completed": true, "paid": false, "safety_deposit_returned": false, "paymethod_id": 1, "paymethod": "ideal",
        "paymethod_label": "iDEAL", "taxes_included": true, "order_row_taxes_included": true,
        "shipping_taxes_included": true, "shipping_tax_percentage": 21, "is_intra_community_order": false,
        "total_shipping": 0, "currency": "EUR", "extra_payment_option": "", "extra_payment_option_price": 0,
        "extra_price": 0, "paymethod_costs": 0, "credit_point_discount": 0, "extra_costs": 0,
        "extra_costs_description": "", "track_and_trace_code": "", "track_and_trace_carrier": null,
        "track_and_trace_deeplink": "", "reservationnumber": null, "delivery_option": null, "user": null,
        "discountcoupon": null, "pickup_address": null})
}

/// An order with its rows, as a call of its own gives them; `orderrows` holds them here.
pub(super) fn complete(given: &Value, switches: &Switches) -> Value {
    let mut order = template();
    for (name, value) in given.as_object().into_iter().flatten().filter(|(name, _)| *name != "orderrows") {
        order[name] = value.clone();
    }
    let mut rows: Vec<Value> = given["orderrows"].as_array().cloned().unwrap_or_default();
    for row in &mut rows {
        for (name, value) in [
            ("product_type", json!("product")),
            ("discount", json!(0)),
            ("user_discount", json!(0)),
            ("custom_price", json!(false)),
            ("unit", json!("stuk")),
            ("attributes", json!([])),
        ] {
            if row.get(name).is_none() {
                row[name] = value;
            }
        }
    }
    // An order that brings its own totals keeps them: real ones do not always add up.
    if given.get("total_price").is_none() {
        totals::fill(&mut order, &mut rows, switches.tax_rounding == "row");
    } else {
        rows.iter_mut().for_each(totals::fill_row);
    }
    order["orderrows"] = json!(rows);
    order
}

/// Stores a complete order and its rows; the id and the number are given out where it has none.
pub(super) fn store(store: &mut Store, mut order: Value, now: &str) -> i64 {
    let id = order["id"].as_i64().unwrap_or_else(|| store.next_number("orders", 101));
    store.reserve_number("orders", id.max(100));
    let rows = order.as_object_mut().and_then(|map| map.shift_remove("orderrows")).unwrap_or_default();
    order["id"] = json!(id);
    let numbered = whole(&order["ordernumber"]).unwrap_or_else(|| store.next_number("ordernumber", 1101));
    store.reserve_number("ordernumber", numbered.max(1100));
    order["ordernumber"] = json!(numbered);
    order["ordernumber_full"] = json!(format!("{}{numbered}", text(&order, "ordernumber_prefix")));
    if order.get("create_date").is_none() {
        order["create_date"] = json!(now);
    }
    for mut row in rows.as_array().cloned().unwrap_or_default() {
        let row_id = row["id"].as_i64().unwrap_or_else(|| store.next_number("orderrows", 1001));
        store.reserve_number("orderrows", row_id);
        (row["id"], row["order_id"]) = (json!(row_id), json!(id));
        store.put("orderrows", &row_id.to_string(), row);
    }
    store.put("orders", &id.to_string(), order);
    id
}

/// Takes what an order sells from stock.
pub(super) fn take_stock(ctx: &mut Ctx<'_>, order: i64) {
    let rows: Vec<Value> = ctx.below("orderrows", "order_id", order).into_iter().cloned().collect();
    for row in rows {
        products::sold(ctx, &row);
    }
}
