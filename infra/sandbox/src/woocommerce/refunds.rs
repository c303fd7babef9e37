//! Refunds and notes of orders.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::errors::{error, invalid_id};
use super::orders::{Paging, Window, set_moment};
use super::render::{self, fixed};
use super::request::Check;
use super::{Ctx, Need, stock};
use crate::message::Reply;
use crate::text::{amount, decimal, text, whole};

/// Lists of an order that can be refunded.
const LISTS: &[&str] = &["line_items", "shipping_lines", "fee_lines"];
/// A refunded line, with the list it belongs to.
type Item = (&'static str, Value);

fn order(ctx: &Ctx<'_>, id: i64) -> Result<Value, Reply> {
    ctx.store
        .get("orders", &id.to_string())
        .cloned()
        .ok_or_else(|| error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID."))
}

fn shown(row: &Value, decimals: u32) -> Value {
    let mut row = render::order(row, decimals);
    if let Value::Object(map) = &mut row {
        map.shift_remove("parent_id");
    }
    row
}

/// `GET /orders/{id}/refunds`, and `GET /refunds` over all orders.
pub(super) fn list(ctx: &mut Ctx<'_>, parent: Option<i64>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, &["date", "id", "include", "title", "slug", "modified"], "date", "desc");
    let window = Window::of(&mut check);
    let decimals = check.int("dp", 2, None, None).clamp(0, 12) as u32;
    check.done()?;
    ctx.allow(Need::List)?;
    if let Some(parent) = parent {
        order(ctx, parent)?;
    }
    let mut rows: Vec<&Value> = ctx
        .store
        .rows("refunds")
        .filter(|row| parent.is_none_or(|parent| row["parent_id"].as_i64() == Some(parent)))
        .filter(|row| paging.holds(row) && window.holds(row))
        .collect();
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| {
        let row = if parent.is_some() { shown(row, decimals) } else { render::order(row, decimals) };
        render::select(row.clone(), &ctx.params)
    }))
}

/// `GET /orders/{id}/refunds/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, parent: i64, id: i64) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let decimals = check.int("dp", 2, None, None).clamp(0, 12) as u32;
    check.done()?;
    ctx.allow(Need::View)?;
    order(ctx, parent)?;
    let row = ctx.store.get("refunds", &id.to_string()).filter(|row| row["parent_id"].as_i64() == Some(parent));
    let row = row.ok_or_else(|| invalid_id(404, "shop_order_refund"))?;
    Ok(render::json(200, &render::select(shown(row, decimals), &ctx.params)))
}

/// `POST /orders/{id}/refunds`.
pub(super) fn create(ctx: &mut Ctx<'_>, parent: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Create)?;
    let mut order = order(ctx, parent)?;
    let left = remaining(&order);
    let lines: Vec<&Value> = body.get("line_items").and_then(Value::as_array).into_iter().flatten().collect();
    let from_lines: Decimal = lines.iter().map(|line| amount(line, "refund_total") + tax_sum(line)).sum();
    let total = body.get("amount").and_then(decimal).unwrap_or(from_lines);
    if total > left || total <= Decimal::ZERO {
        return Err(render::json(
            500,
            &json!({"code": "woocommerce_rest_cannot_create_order_refund", "message": "Invalid refund amount.", "data": 500}),
        ));
    }
    let asks_gateway = body.get("api_refund").and_then(Value::as_bool).unwrap_or(true);
    if asks_gateway && !ctx.switches.gateway_refunds {
        let message = "The payment gateway for this order does not support automatic refunds.";
        let code = "woocommerce_rest_cannot_create_order_refund";
        return Err(render::json(500, &json!({"code": code, "message": message, "data": 500})));
    }
    let mut items = Vec::new();
    let mut back = Vec::new();
    for line in &lines {
        let id = line.get("id").and_then(whole);
        let known = LISTS.iter().find_map(|list| {
            let mut lines = order[*list].as_array().into_iter().flatten();
            lines.find(|known| known["id"].as_i64() == id).map(|known| (*list, known))
        });
        let Some((list, known)) = known else {
            return Err(error(
                400,
                "woocommerce_rest_invalid_item_id",
                "Order item ID provided is not associated with order.",
            ));
        };
        let mut item = known.clone();
        let negative = |value: Decimal| json!(fixed(-value, 6));
        item["id"] = json!(ctx.store.next_number("item", 1000));
        let quantity = line.get("quantity").and_then(whole).unwrap_or(0);
        if list == "line_items" {
            item["quantity"] = json!(-quantity);
            back.push((known.clone(), quantity));
        }
        for (field, value) in [
            ("subtotal", amount(line, "refund_total")),
            ("total", amount(line, "refund_total")),
            ("subtotal_tax", tax_sum(line)),
            ("total_tax", tax_sum(line)),
        ] {
            if item.get(field).is_some() {
                item[field] = negative(value);
            }
        }
        item["taxes"] = line
            .get("refund_tax")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|tax| json!({"id": tax["id"], "total": negative(amount(tax, "refund_total")), "subtotal": negative(amount(tax, "refund_total"))}))
            .collect();
        let meta = ctx.store.next_number("meta", 1000);
        let points = known["id"].to_string();
        item["meta_data"] = json!([{"id": meta, "key": "_refunded_item_id", "value": points,
            "display_key": "_refunded_item_id", "display_value": points}]);
        items.push((list, item));
    }
    let tax: Decimal = lines.iter().map(|line| tax_sum(line)).sum();
    let row = store(ctx, &mut order, total, tax, text(&body, "reason"), items);
    set_moment(&mut order, "date_modified", ctx.now);
    ctx.store.put("orders", &parent.to_string(), order);
    if body.get("api_restock").and_then(Value::as_bool).unwrap_or(true) {
        for (line, quantity) in back.iter().filter(|(_, quantity)| *quantity > 0) {
            if let Some(product) = stock::add(ctx.store, ctx.now, line, *quantity) {
                ctx.happened("product", "updated", product);
            }
        }
    }
    ctx.happened("order", "updated", parent);
    Ok(render::json(201, &shown(&row, 2)))
}

fn tax_sum(line: &Value) -> Decimal {
    line.get("refund_tax").and_then(Value::as_array).into_iter().flatten().map(|tax| amount(tax, "refund_total")).sum()
}

fn remaining(order: &Value) -> Decimal {
    let refunded: Decimal = order["refunds"].as_array().into_iter().flatten().map(|row| amount(row, "total")).sum();
    amount(order, "total") + refunded
}

fn store(ctx: &mut Ctx<'_>, order: &mut Value, total: Decimal, tax: Decimal, reason: &str, items: Vec<Item>) -> Value {
    let id = ctx.store.next_number("post", 100);
    let parent = order["id"].as_i64().unwrap_or(0);
    let site = render::RECORDED_SITE;
    let of = |list: &str| -> Value {
        items.iter().filter(|(known, _)| *known == list).map(|(_, item)| item.clone()).collect()
    };
    let mut row = json!({"id": id, "parent_id": parent, "date_created": null, "date_created_gmt": null,
        "amount": fixed(total, 6), "reason": reason, "refunded_by": 1, "refunded_payment": false, "meta_data": [],
        "line_items": of("line_items"), "shipping_lines": of("shipping_lines"), "tax_lines": [], "fee_lines": of("fee_lines"),
        "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/orders/{parent}/refunds/{id}")}],
            "collection": [{"href": format!("{site}/wp-json/wc/v3/orders/{parent}/refunds")}],
            "up": [{"href": format!("{site}/wp-json/wc/v3/orders/{parent}")}]}});
    set_moment(&mut row, "date_created", ctx.now);
    ctx.store.put("refunds", &id.to_string(), row.clone());
    if let Some(list) = order.get_mut("refunds").and_then(Value::as_array_mut) {
        list.push(json!({"id": id, "reason": reason, "total": fixed(-total, 6), "total_tax": fixed(-tax, 6)}));
    }
    if remaining(order).is_zero() {
        order["status"] = json!("refunded");
    }
    row
}

/// What setting the status to `refunded` does: one refund for the rest, without lines or tax split.
pub(super) fn refund_rest(ctx: &mut Ctx<'_>, order: &mut Value) {
    let left = remaining(order);
    if left > Decimal::ZERO {
        store(ctx, order, left, Decimal::ZERO, "Order fully refunded.", Vec::new());
    }
}

/// `GET /orders/{id}/notes`.
pub(super) fn notes(ctx: &mut Ctx<'_>, parent: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    order(ctx, parent)?;
    let rows = ctx.store.rows("notes").filter(|row| row["order_id"].as_i64() == Some(parent)).rev().cloned();
    Ok(render::json(200, &rows.map(|row| render::select(row, &ctx.params)).collect()))
}

/// `POST /orders/{id}/notes`; does not move `date_modified`.
pub(super) fn add_note(ctx: &mut Ctx<'_>, parent: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    if text(&body, "note").is_empty() {
        return Err(super::errors::missing(&["note"]));
    }
    ctx.allow(Need::Create)?;
    order(ctx, parent)?;
    let id = ctx.store.next_number("note", 100);
    let mut row = json!({"id": id, "author": "WooCommerce", "date_created": null, "date_created_gmt": null,
        "note": text(&body, "note"), "customer_note": body["customer_note"].as_bool().unwrap_or(false), "order_id": parent});
    set_moment(&mut row, "date_created", ctx.now);
    ctx.store.put("notes", &id.to_string(), row.clone());
    Ok(render::json(201, &row))
}
