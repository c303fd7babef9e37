//! Payments of an order: amounts in cents.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Ctx, errors, orders};
use crate::message::Reply;
use crate::text::{amount, text, whole};

/// Answers everything below `/orders/{n}/payments`.
pub(super) fn route(ctx: &mut Ctx<'_>, number: &str, parts: &[&str]) -> Result<Reply, Reply> {
    let order = orders::find(ctx, number).map_err(|_| errors::problem(404, "Order not found."))?;
    match (ctx.call.method.as_str(), parts) {
        ("GET", []) => {
            let rows = ctx.store.rows("payments").filter(|row| row["_order"] == order["number"]);
            Ok(Reply::json(200, &json!({"payments": rows.map(|row| shown(ctx, row)).collect::<Vec<_>>()})))
        }
        ("POST", []) => create(ctx, &order),
        ("PATCH", [id]) => {
            let mut row = find(ctx, &order, id)?;
            let body = ctx.problem_body("OrderPayment", 'u')?;
            for field in ["method", "referrerUrl"] {
                if let Some(value) = body.get(field) {
                    row[field] = value.clone();
                }
            }
            row["updatedAt"] = json!(ctx.now.to_rfc3339());
            ctx.store.put("payments", id, row.clone());
            Ok(Reply::json(200, &json!({"payment": shown(ctx, &row)})))
        }
        ("DELETE", [id]) => {
            find(ctx, &order, id)?;
            ctx.store.delete("payments", id);
            Ok(Reply::empty(204))
        }
        _ => Err(errors::problem(404, "Page not found.")),
    }
}

fn find(ctx: &Ctx<'_>, order: &Value, id: &str) -> Result<Value, Reply> {
    let row = ctx.store.get("payments", id).filter(|row| row["_order"] == order["number"]);
    row.cloned().ok_or_else(|| errors::problem(404, "Payment not found."))
}

fn cents(value: Decimal) -> i64 {
    use rust_decimal::prelude::ToPrimitive;
    (value * Decimal::ONE_HUNDRED).round().to_i64().unwrap_or_default()
}

/// A payment of a whole order.
pub(super) fn paid(
    number: i64,
    order: &Value,
    gateway: &str,
    method: &str,
    at: chrono::DateTime<chrono::Utc>,
) -> Value {
    let total = cents(amount(&order["price"], "total"));
    json!({"id": super::uuid_of(0xfa, number), "gateway": gateway, "method": method, "gatewayReference": "",
        "price": total, "currency": order["currency"], "storeId": super::STORE_ID, "reference": order["uuid"],
        "referrerUrl": "", "isTest": false, "createdAt": at.to_rfc3339(), "updatedAt": null, "_order": order["number"],
        "mutations": [{"id": number, "type": "capture", "reference": null, "price": total, "description": null,
            "createdAt": at.to_rfc3339(), "expiresAt": null}]})
}

fn create(ctx: &mut Ctx<'_>, order: &Value) -> Result<Reply, Reply> {
    let body = ctx.problem_body("OrderPayment", 'c')?;
    if order["credited_order_number"].is_string() {
        return Err(errors::invalid(&[("order".into(), "A credit order has no payments.".into())]));
    }
    let number = ctx.store.next_number("payment", 101);
    let mut row = paid(number, order, text(&body, "gateway"), text(&body, "method"), ctx.now);
    let lines = body["orderLines"].as_array().cloned().unwrap_or_default();
    if !lines.is_empty() {
        row["price"] = json!(lines.iter().filter_map(|line| whole(&line["price"])).sum::<i64>());
    }
    row["mutations"] = json!([]);
    let id = text(&row, "id").to_owned();
    ctx.store.put("payments", &id, row.clone());
    let url = format!("{}/pay/{id}", ctx.site);
    Ok(Reply::json(201, &json!({"payment": shown(ctx, &row), "url": url})))
}

/// What is embedded only comes when it is asked for.
fn shown(ctx: &Ctx<'_>, row: &Value) -> Value {
    let embed = ctx.call.param("embed").unwrap_or_default();
    let embed: Vec<&str> = embed.split(',').collect();
    let mut out = row.clone();
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_') && (name != "mutations" || embed.contains(&"mutations")));
    }
    if embed.contains(&"properties") {
        out["properties"] = json!({});
    }
    out
}
