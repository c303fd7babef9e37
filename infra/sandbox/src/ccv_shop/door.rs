//! What customers and staff of the shop do with orders: through the inspection door, with webhooks as from the real ones.

use serde_json::{Value, json};

use super::order_write::{apply, place};
use super::{Ctx, products, seed_orders};
use crate::message::Reply;

/// Inspection: orders as customers place them. A row is whole, or `{"sells": "MOK-WIT", "count": 2}`.
pub(super) fn insert(ctx: &mut Ctx<'_>, body: Value) -> Result<Reply, String> {
    let list = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut ids = Vec::new();
    for mut order in list {
        if !order.is_object() {
            return Err("an order is an object".into());
        }
        if let Some(id) = order["id"].as_i64()
            && ctx.store.get("orders", &id.to_string()).is_some()
        {
            return Err(format!("order {id} is there already"));
        }
        for row in order["orderrows"].as_array_mut().into_iter().flatten() {
            let Some(number) = row["sells"].as_str().map(str::to_owned) else { continue };
            let mut whole = seed_orders::sells(ctx.store, &number, 1, None, 21);
            if whole["product_id"].is_null() {
                return Err(format!("no product sells as \"{number}\""));
            }
            let tariff =
                ctx.store.get("products", &whole["product_id"].to_string()).map(|row| row["taxtariff"].clone());
            whole["tax"] = json!(products::vat_rate(tariff.unwrap_or_default().as_str().unwrap_or_default()));
            for (name, value) in row.as_object().into_iter().flatten().filter(|(name, _)| *name != "sells") {
                whole[name] = value.clone();
            }
            *row = whole;
        }
        ids.push(place(ctx, &order));
    }
    Ok(Reply::json(201, &json!({"ids": ids})))
}

/// Inspection: an order as staff changes it; any field.
pub(super) fn change(ctx: &mut Ctx<'_>, id: &str, body: &Value) -> Result<Reply, String> {
    let row = ctx.store.get("orders", id).cloned().ok_or_else(|| format!("there is no order {id}"))?;
    let fields = body.as_object().ok_or("an order is an object")?;
    let mut changed = row.clone();
    for (name, value) in fields {
        if changed.get(name).is_none() {
            return Err(format!("an order has no field \"{name}\""));
        }
        changed[name] = value.clone();
    }
    apply(ctx, &row, changed);
    Ok(Reply::empty(204))
}

/// Inspection: an order is removed by staff.
pub(super) fn remove(ctx: &mut Ctx<'_>, id: &str) -> Reply {
    let Ok(number) = id.parse::<i64>() else { return Reply::empty(404) };
    if ctx.store.get("orders", id).is_none() {
        return Reply::empty(404);
    }
    ctx.order_event("orders.deleted", number, &json!({}));
    ctx.store.delete("orders", id);
    let rows: Vec<String> =
        ctx.below("orderrows", "order_id", number).iter().map(|row| row["id"].to_string()).collect();
    rows.iter().for_each(|key| {
        ctx.store.delete("orderrows", key);
    });
    Reply::empty(204)
}
