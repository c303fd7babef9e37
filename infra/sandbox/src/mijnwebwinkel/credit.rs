//! Credit orders: what is given back of an order, as an order of its own.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::totals::{self, line, priced};
use super::{Ctx, errors, order_write, orders};
use crate::message::Reply;
use crate::text::{amount, decimal, text, whole};

fn refuse(message: impl AsRef<str>) -> Reply {
    errors::classic(400, message.as_ref())
}

/// `POST /orders/credit`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body("CreditOrder", 'c')?;
    let number = text(&body, "credited_order_number").to_owned();
    let Ok(original) = orders::find(ctx, &number) else {
        return Err(refuse("credited_order_number: this order does not exist."));
    };
    if original["credited_order_number"].is_string() {
        return Err(refuse("credited_order_number: a credit order cannot be credited."));
    }
    orders::check_status(ctx, &body["status"], true)?;
    let before = credited(ctx, &original);
    let mut lines = Vec::new();
    for one in body["orderlines"].as_array().into_iter().flatten() {
        lines.push(credit_line(ctx, &original, one, &before)?);
    }
    for (kind, field) in [("payment", "payment_costs"), ("shipping", "shipping_costs")] {
        costs(ctx, &original, kind, body.get(field), &mut lines)?;
    }
    let order = make(ctx, &original, lines, &body["status"]);
    if ctx.call.param("mutate_stock").is_none() || ctx.flag("mutate_stock") {
        order_write::take_stock(ctx, &order, true)?;
    }
    Ok(Reply::json(200, &orders::shown(ctx, &order)))
}

/// Stores a credit order with these lines and tells the original.
pub(super) fn make(ctx: &mut Ctx<'_>, original: &Value, lines: Vec<Value>, status: &Value) -> Value {
    let number = ctx.store.next_number("order", 2101).to_string();
    let mut order = order_write::blank(&number, ctx.now);
    for field in
        ["debtor", "tax_region", "tax_strategy", "business_model", "locale", "currency", "shipping", "reference"]
    {
        order[field] = original[field].clone();
    }
    order["status"] = status.clone();
    order["credited_order_number"] = original["number"].clone();
    order["orderlines"] = Value::Array(lines);
    totals::settle(&mut order);
    let mut original = original.clone();
    if let Some(credits) = original["credit_order_numbers"].as_array_mut() {
        credits.push(json!(number));
    }
    let key = orders::key(text(&original, "number"));
    ctx.store.put("orders", &key, original);
    ctx.store.put("orders", &number, order.clone());
    order
}

/// How many were given back already, by line of the original.
fn credited(ctx: &Ctx<'_>, original: &Value) -> BTreeMap<String, i64> {
    let mut done = BTreeMap::new();
    for order in ctx.store.rows("orders").filter(|row| row["credited_order_number"] == original["number"]) {
        for line in order["orderlines"].as_array().into_iter().flatten() {
            *done.entry(text(line, "_of").to_owned()).or_default() +=
                whole(&line["quantity"]).unwrap_or_default().abs();
        }
    }
    done
}

fn sign(ctx: &Ctx<'_>) -> i64 {
    if ctx.switches.credit_signs == "negative" { -1 } else { 1 }
}

fn credit_line(
    ctx: &mut Ctx<'_>,
    original: &Value,
    one: &Value,
    before: &BTreeMap<String, i64>,
) -> Result<Value, Reply> {
    let quantity = whole(&one["quantity"]).filter(|quantity| *quantity > 0);
    let quantity = quantity.ok_or_else(|| refuse("orderlines.quantity: this value should be greater than 0."))?;
    let known = original["orderlines"].as_array().into_iter().flatten().find(|known| {
        let by_id = one["id"].is_string() && known["id"] == one["id"];
        by_id
            || one["id"].is_null()
                && one["articles"][0]["id"].is_i64()
                && known["articles"][0]["id"] == one["articles"][0]["id"]
    });
    let known = known.ok_or_else(|| refuse("orderlines: a line is not one of the credited order."))?;
    let of = text(known, "id").to_owned();
    let sold = whole(&known["quantity"]).unwrap_or_default();
    if quantity > sold - before.get(&of).copied().unwrap_or_default() {
        return Err(refuse("orderlines.quantity: more than is left of the credited order."));
    }
    Ok(part_of(ctx, known, quantity))
}

/// So many of a line, given back.
pub(super) fn part_of(ctx: &mut Ctx<'_>, known: &Value, quantity: i64) -> Value {
    let sold = Decimal::from(whole(&known["quantity"]).unwrap_or(1));
    let share = Decimal::from(quantity * sign(ctx)) / sold;
    let prices = known["price"].as_array().into_iter().flatten();
    let prices = prices.map(|price| priced(amount(price, "rate"), amount(price, "amount") * share)).collect();
    let id = super::uuid_of(0x11, ctx.store.next_number("line", 5001));
    let mut made = line(&id, text(known, "type"), quantity * sign(ctx), known["description"].as_str(), prices);
    made["articles"] = known["articles"].clone();
    made["_of"] = known["id"].clone();
    made
}

/// Costs that go back: those of the original, or the amount that is named.
fn costs(
    ctx: &mut Ctx<'_>,
    original: &Value,
    kind: &str,
    named: Option<&Value>,
    lines: &mut Vec<Value>,
) -> Result<(), Reply> {
    let known: Vec<Value> =
        original["orderlines"].as_array().into_iter().flatten().filter(|line| line["type"] == kind).cloned().collect();
    match named.map(decimal) {
        None => {
            for line in known {
                let made = part_of(ctx, &line, 1);
                lines.push(made);
            }
        }
        Some(None) => return Err(refuse(format!("{kind}_costs: this value is not a valid price."))),
        Some(Some(net)) if net.is_zero() => {}
        Some(Some(net)) => {
            let rate = order_write::rate_in(ctx, original, None);
            let id = super::uuid_of(0x11, ctx.store.next_number("line", 5001));
            lines.push(line(&id, kind, sign(ctx), None, vec![priced(rate, net * Decimal::from(sign(ctx)))]));
        }
    }
    Ok(())
}
