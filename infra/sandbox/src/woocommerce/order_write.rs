//! Creating and changing orders.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::errors::{body as error_body, error, error_with, invalid_id};
use super::orders::{STATUSES, set_moment};
use super::request::{Kind, check_body};
use super::totals::{Draft, Fee, Line, Rate, Shipping, compute, rates};
use super::{Ctx, Need, currencies, products, render, stock};
use crate::message::Reply;
use crate::text::{decimal, text, whole};

const PAID: &[&str] = &["processing", "completed"];

/// What an order has besides its amounts.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub id: i64,
    pub status: String,
    pub customer_id: i64,
    pub billing: Value,
    pub shipping: Value,
    pub payment_method: String,
    pub payment_method_title: String,
    pub transaction_id: String,
    pub customer_note: String,
    pub meta_data: Vec<Value>,
    pub created_via: String,
    pub time: DateTime<Utc>,
    pub currency: String,
}

/// A whole order, keys in the order of the REST API.
pub(super) fn assemble(head: Head, draft: &Draft, rates: &[Rate], next: &mut dyn FnMut() -> i64) -> Value {
    let mut amounts = compute(draft, rates, next);
    let mut lists = Map::new();
    for list in ["line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines"] {
        lists.insert(list.into(), amounts.remove(list).unwrap_or_default());
    }
    let mut head = head;
    if head.currency.is_empty() {
        head.currency = "EUR".into();
    }
    let id = head.id;
    let key = format!("wc_order_{id:013x}");
    let mut order = json!({"id": id, "parent_id": 0, "status": head.status, "currency": head.currency, "version": "11.0.1",
        "prices_include_tax": draft.prices_include_tax, "date_created": null, "date_modified": null});
    if let Value::Object(map) = &mut order {
        // `total` and the taxes stand in the order of the REST API already.
        map.extend(amounts);
    }
    let rest = json!({"customer_id": head.customer_id, "order_key": key, "billing": head.billing,
        "shipping": head.shipping, "payment_method": head.payment_method,
        "payment_method_title": head.payment_method_title, "transaction_id": head.transaction_id,
        "customer_ip_address": "", "customer_user_agent": "", "created_via": head.created_via,
        "customer_note": head.customer_note, "date_completed": null, "date_paid": null, "cart_hash": "",
        "number": id.to_string(), "meta_data": head.meta_data});
    let site = render::RECORDED_SITE;
    let tail = json!({"refunds": [],
        "payment_url": format!("{site}/checkout/order-pay/{id}/?pay_for_order=true&key={key}"),
        "is_editable": matches!(head.status.as_str(), "pending" | "on-hold"),
        "needs_payment": matches!(head.status.as_str(), "pending" | "failed"),
        "needs_processing": true, "date_created_gmt": null, "date_modified_gmt": null, "date_completed_gmt": null,
        "date_paid_gmt": null, "currency_symbol": currencies::symbol(&head.currency),
        "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/orders/{id}"),
            "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}],
            "collection": [{"href": format!("{site}/wp-json/wc/v3/orders")}]}});
    for part in [rest, Value::Object(lists), tail] {
        if let (Value::Object(map), Value::Object(part)) = (&mut order, part) {
            map.extend(part);
        }
    }
    set_moment(&mut order, "date_created", head.time);
    set_moment(&mut order, "date_modified", head.time);
    order
}

fn rules() -> [(&'static str, Kind<'static>); 13] {
    [
        ("status", Kind::OneOf(&STATUSES[2..])),
        ("currency", Kind::OneOf(currencies::CODES)),
        ("customer_id", Kind::Integer),
        ("billing", Kind::Object),
        ("shipping", Kind::Object),
        ("line_items", Kind::Array),
        ("shipping_lines", Kind::Array),
        ("fee_lines", Kind::Array),
        ("coupon_lines", Kind::Array),
        ("meta_data", Kind::Array),
        ("set_paid", Kind::Bool),
        ("payment_method", Kind::Text),
        ("customer_note", Kind::Text),
    ]
}

/// `POST /orders`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, &body)?;
    let location = format!("{}/wp-json/wc/v3/orders/{}", ctx.site, row["id"]);
    Ok(render::json(201, &render::order(&row, decimals(ctx))).with("Location", location))
}

fn decimals(ctx: &Ctx<'_>) -> u32 {
    ctx.params.get("dp").and_then(|text| text.parse().ok()).unwrap_or(2).min(12)
}

fn insert(ctx: &mut Ctx<'_>, body: &Value) -> Result<Value, Reply> {
    let customer_id = body.get("customer_id").and_then(whole).unwrap_or(0);
    if customer_id != 0 && ctx.store.get("customers", &customer_id.to_string()).is_none() {
        return Err(error(400, "woocommerce_rest_invalid_customer_id", "Customer ID is invalid."));
    }
    let billing = address(body.get("billing"), true);
    let shipping = address(body.get("shipping"), false);
    let meta_data = meta_rows(ctx, body.get("meta_data"));
    let country = [text(&shipping, "country"), text(&billing, "country"), "NL"]
        .into_iter()
        .find(|country| !country.is_empty())
        .unwrap_or("NL")
        .to_owned();
    let mut draft = Draft {
        country,
        vat_exempt: meta_data.iter().any(|row| row["key"] == "is_vat_exempt" && row["value"] == "yes"),
        prices_include_tax: ctx.switches.prices_include_tax,
        round_at_subtotal: ctx.switches.tax_round_at_subtotal,
        ..Draft::default()
    };
    for line in lists(body, "line_items") {
        draft.lines.push(product_line(ctx, line)?);
    }
    draft.shipping = lists(body, "shipping_lines").map(shipping_line).collect();
    draft.fees = lists(body, "fee_lines").map(fee_line).collect();
    for coupon in lists(body, "coupon_lines") {
        let code = text(coupon, "code").to_lowercase();
        let Some(known) = ctx.store.get("coupons", &code) else {
            return Err(unknown_coupon(ctx, &code));
        };
        draft.coupon = Some((code.clone(), known.get("amount").and_then(decimal).unwrap_or_default()));
    }
    let set_paid = matches!(body.get("set_paid"), Some(Value::Bool(true)))
        || body.get("set_paid").and_then(Value::as_str).is_some_and(|word| word == "true" || word == "1");
    let mut status = body.get("status").and_then(Value::as_str).unwrap_or("pending").to_owned();
    if set_paid && status == "pending" {
        status = "processing".into();
    }
    let id = ctx.store.next_number("post", 100);
    let mut item = ctx.store.next_number("item", 1000) - 1;
    let table = rates(ctx.store.rows("taxes"));
    let head = Head {
        id,
        status: "pending".into(),
        customer_id,
        billing,
        shipping,
        payment_method: text(body, "payment_method").into(),
        payment_method_title: text(body, "payment_method_title").into(),
        transaction_id: text(body, "transaction_id").into(),
        customer_note: text(body, "customer_note").into(),
        meta_data,
        created_via: "rest-api".into(),
        time: ctx.now,
        currency: currencies::CODES.iter().find(|code| **code == text(body, "currency")).map_or("", |code| code).into(),
    };
    let mut row = assemble(head, &draft, &table, &mut || {
        item += 1;
        item
    });
    ctx.store.reserve_number("item", item);
    set_status(ctx, &mut row, &status);
    if set_paid {
        set_moment(&mut row, "date_paid", ctx.now);
    }
    ctx.store.put("orders", &id.to_string(), row.clone());
    // Making an order tells both.
    ctx.happened("order", "created", id);
    ctx.happened("order", "updated", id);
    Ok(row)
}

/// A wrong coupon is refused, but the order was already begun: it stays behind as a draft.
fn unknown_coupon(ctx: &mut Ctx<'_>, code: &str) -> Reply {
    let id = ctx.store.next_number("post", 100);
    let head = Head { id, status: "checkout-draft".into(), time: ctx.now, ..Head::default() };
    let row = assemble(head, &Draft::default(), &[], &mut || 0);
    ctx.store.put("orders", &id.to_string(), row);
    if let Err(failure) = ctx.store.commit() {
        tracing::error!(%failure, "the state could not be stored");
    }
    let message = format!("Coupon \"{code}\" cannot be applied because it does not exist.");
    error_with(400, "woocommerce_rest_invalid_coupon", &message, json!({"new_draft_order_id": id}))
}

fn lists<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    body.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn address(sent: Option<&Value>, email: bool) -> Value {
    let mut names =
        vec!["first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country"];
    if email {
        names.push("email");
    }
    names.push("phone");
    let value = |name: &str| sent.map(|sent| text(sent, name)).unwrap_or_default();
    Value::Object(names.into_iter().map(|name| (name.to_owned(), json!(value(name)))).collect())
}

/// Sent meta rows with ids.
pub(super) fn meta_rows(ctx: &mut Ctx<'_>, sent: Option<&Value>) -> Vec<Value> {
    let mut rows = Vec::new();
    merge_meta(ctx, &mut rows, sent);
    rows
}

/// Writes by id, or the first of that key; null removes.
pub(super) fn merge_meta(ctx: &mut Ctx<'_>, rows: &mut Vec<Value>, sent: Option<&Value>) {
    for meta in sent.and_then(Value::as_array).into_iter().flatten() {
        let id = meta.get("id").and_then(whole);
        let at = rows.iter().position(|row| match id {
            Some(id) => row["id"].as_i64() == Some(id),
            None => row["key"] == meta["key"],
        });
        let value = meta.get("value").cloned().unwrap_or(json!(""));
        match (at, value.is_null()) {
            (Some(at), true) => {
                rows.remove(at);
            }
            (Some(at), false) => rows[at]["value"] = value,
            (None, true) => {}
            (None, false) => {
                let id = ctx.store.next_number("meta", 1000);
                rows.push(json!({"id": id, "key": meta["key"], "value": value}));
            }
        }
    }
}

fn product_line(ctx: &Ctx<'_>, sent: &Value) -> Result<Line, Reply> {
    let number = |field: &str| sent.get(field).and_then(whole).unwrap_or(0);
    let (product_id, variation_id, sku) = (number("product_id"), number("variation_id"), text(sent, "sku"));
    let found = if variation_id != 0 {
        ctx.store.get("variations", &variation_id.to_string())
    } else if product_id != 0 {
        ctx.store
            .get("products", &product_id.to_string())
            .or_else(|| ctx.store.get("variations", &product_id.to_string()))
    } else if !sku.is_empty() {
        products::by_sku(ctx.store, sku)
    } else {
        return Err(error(400, "woocommerce_rest_required_product_reference", "Product ID or SKU is required."));
    };
    let amount = |field: &str| sent.get(field).and_then(decimal);
    let quantity = sent.get("quantity").and_then(whole).unwrap_or(1);
    let Some(product) = found else {
        // Not checked by the real shop either: the line points at nothing.
        return Ok(Line {
            name: text(sent, "name").into(),
            taxable: true,
            quantity,
            price: amount("price").unwrap_or_default(),
            subtotal: amount("subtotal"),
            total: amount("total"),
            ..Line::default()
        });
    };
    let parent_id = product["parent_id"].as_i64().unwrap_or(0);
    let id = product["id"].as_i64().unwrap_or(0);
    let parent = (parent_id != 0).then(|| ctx.store.get("products", &parent_id.to_string())).flatten();
    let name = match parent {
        Some(parent) => format!("{} - {}", text(parent, "name"), text(product, "name")),
        None => text(product, "name").into(),
    };
    let tax_class = match (text(product, "tax_class"), parent) {
        ("parent", Some(parent)) => text(parent, "tax_class"),
        (class, _) => class,
    };
    Ok(Line {
        name: if text(sent, "name").is_empty() { name } else { text(sent, "name").into() },
        product_id: if parent_id != 0 { parent_id } else { id },
        variation_id: if parent_id != 0 { id } else { 0 },
        sku: text(product, "sku").into(),
        gtin: text(product, "global_unique_id").into(),
        tax_class: sent.get("tax_class").and_then(Value::as_str).unwrap_or(tax_class).into(),
        taxable: text(product, "tax_status") != "none",
        quantity,
        price: product.get("price").and_then(decimal).unwrap_or_default(),
        subtotal: amount("subtotal"),
        total: amount("total"),
        meta: Vec::new(),
        parent_name: parent.map(|parent| text(parent, "name").into()),
    })
}

fn shipping_line(sent: &Value) -> Shipping {
    Shipping {
        method_id: text(sent, "method_id").into(),
        instance_id: text(sent, "instance_id").into(),
        title: text(sent, "method_title").into(),
        total: sent.get("total").and_then(decimal).unwrap_or_default(),
    }
}

fn fee_line(sent: &Value) -> Fee {
    Fee {
        name: text(sent, "name").into(),
        tax_class: text(sent, "tax_class").into(),
        taxable: text(sent, "tax_status") != "none",
        total: sent.get("total").and_then(decimal).unwrap_or_default(),
    }
}

/// Changes the status with everything that follows from it.
fn set_status(ctx: &mut Ctx<'_>, row: &mut Value, status: &str) {
    let before = text(row, "status").to_owned();
    row["status"] = json!(status);
    if before == status {
        return;
    }
    for product in stock::follow_status(ctx.store, ctx.now, row, status) {
        ctx.happened("product", "updated", product);
    }
    row["needs_payment"] = json!(matches!(status, "pending" | "failed"));
    row["is_editable"] = json!(matches!(status, "pending" | "on-hold"));
    if status == "completed" {
        set_moment(row, "date_completed", ctx.now);
    }
    if PAID.contains(&status) && row["date_paid"].is_null() && status == "completed" {
        set_moment(row, "date_paid", ctx.now);
    }
    if status == "refunded" {
        super::refunds::refund_rest(ctx, row);
    }
}

/// `PUT /orders/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, id, &body)?;
    Ok(render::json(200, &render::order(&row, decimals(ctx))))
}

fn change(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Value, Reply> {
    let mut row = ctx.store.get("orders", &id.to_string()).cloned().ok_or_else(|| invalid_id(400, "shop_order"))?;
    for field in ["payment_method", "payment_method_title", "transaction_id", "customer_note"] {
        if let Some(value) = body.get(field).and_then(Value::as_str) {
            row[field] = json!(value);
        }
    }
    for part in ["billing", "shipping"] {
        for (name, value) in body.get(part).and_then(Value::as_object).into_iter().flatten() {
            if row[part].get(name).is_some() && value.is_string() {
                row[part][name] = value.clone();
            }
        }
    }
    if let Some(customer) = body.get("customer_id").and_then(whole) {
        row["customer_id"] = json!(customer);
    }
    let mut meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    merge_meta(ctx, &mut meta, body.get("meta_data"));
    row["meta_data"] = Value::Array(meta);
    if let Some(status) = body.get("status").and_then(Value::as_str) {
        set_status(ctx, &mut row, status);
    }
    if body.get("set_paid").and_then(Value::as_bool) == Some(true) && row["date_paid"].is_null() {
        set_status(ctx, &mut row, "processing");
        set_moment(&mut row, "date_paid", ctx.now);
    }
    let only_meta = body.as_object().is_some_and(|map| map.keys().all(|key| key == "meta_data" || key == "id"));
    if ctx.switches.hpos || !only_meta {
        set_moment(&mut row, "date_modified", ctx.now);
    }
    ctx.store.put("orders", &id.to_string(), row.clone());
    ctx.happened("order", "updated", id);
    Ok(row)
}

/// `DELETE /orders/{id}`. Only the trash tells; what is deleted for good goes in silence.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let row = ctx.store.get("orders", &id.to_string()).cloned();
    ctx.allow(Need::Delete)?;
    let mut row = row.ok_or_else(|| invalid_id(404, "shop_order"))?;
    if ctx.params.flag("force") {
        ctx.store.delete("orders", &id.to_string());
    } else {
        if row["status"] == "trash" {
            return Err(error(410, "woocommerce_rest_already_trashed", "The order has already been deleted."));
        }
        row["status"] = json!("trash");
        set_moment(&mut row, "date_modified", ctx.now);
        ctx.store.put("orders", &id.to_string(), row.clone());
        ctx.happened("order", "deleted", id);
    }
    Ok(render::json(200, &render::order(&row, decimals(ctx))))
}

/// `POST /orders/batch`: items are not checked against the schema; a wrong status becomes `pending`.
pub(super) fn batch(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Create => insert(ctx, &lenient(item)).map(|row| render::order(&row, 2)),
        Step::Update(id) => change(ctx, id, &lenient(item)).map(|row| render::order(&row, 2)),
        Step::Delete(id) => {
            let row = ctx.store.delete("orders", &id.to_string());
            row.map(|row| render::order(&row, 2)).ok_or_else(|| invalid_id(404, "shop_order"))
        }
    })
}

fn lenient(item: &Value) -> Value {
    let mut item = item.clone();
    if item.get("status").is_some() && !item["status"].as_str().is_some_and(|status| STATUSES[2..].contains(&status)) {
        item["status"] = json!("pending");
    }
    item
}

/// One item of a batch.
pub(super) enum Step {
    Create,
    Update(i64),
    Delete(i64),
}

/// Runs a batch: one item after the other, each on its own; the answer is 200 whatever becomes of them.
pub(super) fn run_batch(
    ctx: &mut Ctx<'_>,
    body: &Value,
    mut work: impl FnMut(&mut Ctx<'_>, Step, &Value) -> Result<Value, Reply>,
) -> Result<Reply, Reply> {
    let count: usize = ["create", "update", "delete"].iter().map(|group| lists(body, group).count()).sum();
    if count > 100 {
        let message = "Unable to accept more than 100 items for this request.";
        return Err(error(413, "woocommerce_rest_request_entity_too_large", message));
    }
    let mut answer = Map::new();
    for group in ["create", "update", "delete"] {
        let mut done = Vec::new();
        for item in lists(body, group) {
            let id = if group == "delete" { whole(item) } else { item.get("id").and_then(whole) };
            let step = match group {
                "create" => Step::Create,
                "update" => Step::Update(id.unwrap_or(0)),
                _ => Step::Delete(id.unwrap_or(0)),
            };
            match work(ctx, step, item) {
                Ok(row) => {
                    commit(ctx);
                    done.push(row);
                }
                Err(reply) => {
                    ctx.store.rollback();
                    let parsed: Value =
                        serde_json::from_slice(&reply.body).unwrap_or_else(|_| error_body(500, "error", "", json!({})));
                    let shown = if group == "create" { json!(0) } else { json!(id) };
                    done.push(json!({"id": shown, "error": parsed}));
                }
            }
        }
        if !done.is_empty() {
            answer.insert(group.into(), Value::Array(done));
        }
    }
    let answer = if answer.is_empty() { json!([]) } else { Value::Object(answer) };
    Ok(render::json(200, &render::select_paths(answer, &ctx.params)))
}

fn commit(ctx: &mut Ctx<'_>) {
    if let Err(failure) = ctx.store.commit() {
        tracing::error!(%failure, "the state could not be stored");
    }
}

/// A decimal as text, as the shop stores prices.
pub(super) fn price_text(value: Decimal) -> String {
    value.normalize().to_string()
}
