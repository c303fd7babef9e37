//! Orders: list, count, one, and the little that can be changed of one.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Ctx, dates, errors};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{text, whole};

/// The digits of a number: test orders have a letter behind them.
fn digits(row: &Value) -> i64 {
    text(row, "number").trim_end_matches('T').parse().unwrap_or_default()
}

/// Row key of an order.
pub(super) fn key(number: &str) -> String {
    number.trim().to_uppercase()
}

fn wanted<'a>(ctx: &'a Ctx<'_>) -> Vec<&'a Value> {
    let zone = ctx.switches.zone();
    let test = ctx.flag("test");
    let (email, debtor) = (ctx.call.param("debtor_email"), ctx.call.param("debtor_id"));
    let status = ctx.call.param("status_id").and_then(|text| text.parse::<i64>().ok());
    let archived = ctx.call.param("archived").map(|_| ctx.flag("archived"));
    let day = |row: &Value| dates::read(row, "_created").map(|at| dates::shown(at, zone).0).unwrap_or_default();
    let rows = ctx.store.rows("orders").filter(|row| {
        let is_test = row["_test"] == true;
        let buyer = |row: &Value| {
            let same = |wanted: &Option<String>, field: &str| {
                wanted.as_ref().is_some_and(|wanted| text(&row["debtor"], field).eq_ignore_ascii_case(wanted))
            };
            email.is_none() && debtor.is_none() || same(&email, "email") || same(&debtor, "id")
        };
        (is_test == test || test && ctx.switches.test_shows_all)
            && status.is_none_or(|status| row["status"] == status)
            && archived.is_none_or(|archived| (row["archived"] == true) == archived)
            && ctx.call.param("start_date").is_none_or(|from| day(row) >= from)
            && ctx.call.param("end_date").is_none_or(|to| day(row) <= to)
            && ctx.within(row, "_status_changed", "status_changed_start_date", "status_changed_end_date")
            && buyer(row)
    });
    let mut rows: Vec<&Value> = rows.collect();
    rows.sort_by_key(|row| digits(row));
    if ctx.call.param("ordering").as_deref() == Some("desc") {
        rows.reverse();
    }
    rows
}

/// `GET /orders`: whole orders with their lines.
pub(super) fn list(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let page = ctx.page(wanted(ctx));
    Ok(Reply::json(200, &page.into_iter().map(|row| shown(ctx, row)).collect()))
}

/// `GET /orders/count`.
pub(super) fn count(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &json!({"count": wanted(ctx).len()})))
}

/// The order of a path.
pub(super) fn find(ctx: &Ctx<'_>, number: &str) -> Result<Value, Reply> {
    ctx.store.get("orders", &key(number)).cloned().ok_or_else(|| errors::not_found("Order"))
}

/// `GET /orders/{number}`.
pub(super) fn get(ctx: &Ctx<'_>, number: &str) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &shown(ctx, &find(ctx, number)?)))
}

/// The status a body names is one of the shop, of the right kind.
pub(super) fn check_status(ctx: &Ctx<'_>, status: &Value, credit: bool) -> Result<(), Reply> {
    let known = ctx.store.get("statuses", &status.to_string());
    if known.is_none_or(|row| (row["credit_order"] == true) != credit) {
        let kind = if credit { "a status of credit orders" } else { "a status of orders" };
        return Err(errors::classic(400, &format!("status: {status} is not {kind}.")));
    }
    Ok(())
}

/// `PATCH /orders/{number}`.
pub(super) fn update(ctx: &mut Ctx<'_>, number: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, number)?;
    let body = ctx.body("Order", 'u')?;
    for right in ["override_minimum", "override_stock"] {
        if ctx.flag(right) && !ctx.switches.right(right) {
            return Err(errors::classic(403, &format!("{right} needs special access.")));
        }
    }
    for field in body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        if !["status", "archived", "comments", "reference", "offline_location_id"].contains(&field) {
            return Err(errors::classic(400, &format!("{field}: this field cannot be changed.")));
        }
    }
    if let Some(status) = body.get("status") {
        check_status(ctx, status, row["credited_order_number"].is_string())?;
        if row["status"] != *status {
            row["_status_changed"] = dates::kept(ctx.now);
        }
        row["status"] = status.clone();
    }
    if let Some(archived) = body.get("archived") {
        row["archived"] = archived.clone();
    }
    if let Some(internal) = body["comments"].get("internal") {
        row["comments"]["internal"] = internal.clone();
    }
    if let Some(reference) = body.get("reference") {
        if row["business_model"] != "B2B" {
            return Err(errors::classic(400, "reference: only orders of businesses have a reference."));
        }
        row["reference"] = reference.clone();
    }
    if let Some(location) = body.get("offline_location_id") {
        if ctx.store.get("locations", text(&body, "offline_location_id")).is_none() {
            return Err(errors::classic(400, "offline_location_id: this location does not exist."));
        }
        row["offline_location_id"] = location.clone();
    }
    let answer = shown(ctx, &row);
    ctx.store.put("orders", &key(number), row);
    Ok(Reply::json(200, &answer))
}

/// One or many, as PHP has it: a list with one entry becomes that entry.
fn one_or_many(value: &Value) -> Value {
    match value.as_array() {
        Some(list) if list.len() == 1 => list[0].clone(),
        _ => value.clone(),
    }
}

/// An order as the API gives it.
pub(super) fn shown(ctx: &Ctx<'_>, row: &Value) -> Value {
    let php = ctx.switches.php();
    let zone = ctx.switches.zone();
    let mut out = row.clone();
    let (date, time) = dates::shown(dates::read(row, "_created").unwrap_or_default(), zone);
    out["date"] = json!(date);
    out["time"] = json!(time);
    if let Some(at) = dates::read(row, "_status_changed") {
        let (date, time) = dates::shown(at, zone);
        out["status_changed_date"] = json!(date);
        out["status_changed_time"] = json!(time);
    }
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, value| !name.starts_with('_') && !value.is_null());
    }
    let number = |value: &Value| match value.as_str().and_then(|text| text.parse::<i64>().ok()) {
        Some(number) if !php => json!(number),
        _ => value.clone(),
    };
    for field in ["number", "credited_order_number"] {
        if row[field].is_string() {
            out[field] = number(&row[field]);
        }
    }
    let credits = row["credit_order_numbers"].as_array().cloned().unwrap_or_default();
    out["credit_order_numbers"] = credits.iter().map(|value| json!(whole(value))).collect();
    if php {
        out["price"]["tax"] = one_or_many(&row["price"]["tax"]);
        if row["discountcode"].is_null() {
            out["discountcode"] = json!("");
        }
        if row["shipping"][0]["country"].as_object().is_some_and(serde_json::Map::is_empty) {
            out["shipping"][0]["country"] = json!([]);
        }
    }
    for (at, line) in row["orderlines"].as_array().into_iter().flatten().enumerate() {
        // Lines of discounts always have a list.
        if line["type"] != "discount" {
            out["orderlines"][at]["price"] = one_or_many(&line["price"]);
        }
        if line["articles"] == json!([])
            && let Some(fields) = out["orderlines"][at].as_object_mut()
        {
            fields.remove("articles");
        }
        // What delivery costs has the type of costs of payment.
        if line["type"] == "shipping" {
            out["orderlines"][at]["type"] = json!("payment");
        }
    }
    out
}

/// Inspection: puts an order (or a list of them) in as it is stored.
pub(super) fn insert_raw(store: &mut Store, body: Value, now: DateTime<Utc>) -> Result<Reply, String> {
    let orders = if body.is_array() { body.as_array().cloned().unwrap_or_default() } else { vec![body] };
    let mut numbers = Vec::new();
    for mut order in orders {
        if !order["orderlines"].is_array() {
            return Err("an order has orderlines".into());
        }
        if order["number"].is_null() {
            order["number"] = json!(store.next_number("order", 2101).to_string());
        }
        let number = order["number"].as_str().ok_or("number is a text")?.to_owned();
        if order["_created"].is_null() {
            order["_created"] = dates::kept(now);
        }
        if order["uuid"].is_null() {
            order["uuid"] = json!(super::uuid_of(0x0d, digits(&order)));
        }
        store.reserve_number("order", digits(&order));
        store.put("orders", &key(&number), order);
        numbers.push(number);
    }
    Ok(Reply::json(201, &json!({"numbers": numbers})))
}
