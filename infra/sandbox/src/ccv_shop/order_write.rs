//! Orders made and changed through the API.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Ctx, errors, orders, products, totals, variants, write};
use crate::message::Reply;
use crate::text::{amount, text};

/// A row as it is sold, from what a caller says of it.
fn row(ctx: &Ctx<'_>, given: &Value, user_discount: &Value) -> Result<Value, Reply> {
    let refuse = |message: &str| Err(errors::schema(ctx.switches, message));
    if amount(given, "count") <= Decimal::ZERO {
        return refuse("count of a row must be above zero");
    }
    let mut row = json!({"product_type": "product", "product_name": text(given, "product_name"),
        "product_number": text(given, "product_number"), "sub_product_number": "", "sub_sku_number": "",
        "sub_ean_number": "", "product_id": null, "price": 0, "discount": 0, "user_discount": 0, "tax": 21,
        "unit": "stuk", "weight": 0, "attributes": []});
    match given["product_id"].as_i64() {
        Some(id) => {
            let product = ctx.row("products", id)?;
            for (field, own) in [
                ("product_name", "name"),
                ("product_number", "productnumber"),
                ("product_id", "id"),
                ("price", "price"),
                ("discount", "discount"),
                ("weight", "weight"),
                ("unit", "unit"),
                ("package_id", "package_id"),
            ] {
                row[field] = product[own].clone();
            }
            row["tax"] = json!(products::vat_rate(text(product, "taxtariff")));
            row["user_discount"] = user_discount.clone();
        }
        None if text(given, "product_name").is_empty() => return refuse("a row has a product_id or a product_name"),
        None => {}
    }
    if let Some(id) = crate::text::whole(&given["attribute_combination_id"]) {
        let combination = ctx.row("attributecombinations", id)?;
        if combination["product_id"] != row["product_id"] {
            return Err(errors::unknown(ctx.switches, "attributecombinations", id));
        }
        row["_combination"] = json!(id);
        row["sub_product_number"] = combination["product_number"].clone();
        row["sub_sku_number"] = combination["sku_number"].clone();
        row["sub_ean_number"] = combination["ean_number"].clone();
        row["attributes"] = json!(variants::as_attributes(ctx.store, combination));
    }
    if let Some(id) = given["package_id"].as_i64() {
        ctx.row("packages", id)?;
    }
    for (name, value) in given.as_object().into_iter().flatten() {
        if !["product_id", "attribute_combination_id", "auto_create_deposit_rows"].contains(&name.as_str()) {
            row[name] = value.clone();
        }
    }
    row["custom_price"] = json!(given.get("price").is_some());
    Ok(row)
}

fn rows(ctx: &Ctx<'_>, given: &Value, user_discount: &Value) -> Result<Value, Reply> {
    let list = given.as_array().into_iter().flatten();
    list.map(|one| row(ctx, one, user_discount)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// `POST /orders/`.
pub(super) fn create(ctx: &mut Ctx<'_>, body: &Value) -> Result<Reply, Reply> {
    let mut order = body.clone();
    let including = ctx.switches.prices_include_vat;
    for field in ["taxes_included", "order_row_taxes_included", "shipping_taxes_included"] {
        if order.get(field).is_none() {
            order[field] = json!(including);
        }
    }
    let mut discount = json!(0);
    if let Some(id) = body["user_id"].as_i64() {
        let group = ctx.row("users", id)?["group_id"].to_string();
        discount = ctx.store.get("usergroups", &group).map_or(json!(0), |group| group["discount"].clone());
        order["user"] = json!({"id": id, "discount_percentage": discount});
    }
    if let Some(map) = order.as_object_mut() {
        map.shift_remove("user_id");
    }
    order["orderrows"] = rows(ctx, &body["orderrows"], &discount)?;
    if order["orderrows"].as_array().is_none_or(Vec::is_empty) {
        return Err(errors::schema(ctx.switches, "orderrows is empty"));
    }
    let id = place(ctx, &order);
    let row = ctx.row("orders", id)?.clone();
    ctx.made("orders", &row)
}

/// Puts an order into the shop: amounts, stock, webhook.
pub(super) fn place(ctx: &mut Ctx<'_>, order: &Value) -> i64 {
    let now = ctx.stamp();
    let order = orders::complete(order, ctx.switches);
    let id = orders::store(ctx.store, order, &now);
    let checked_out = ctx.store.get("orders", &id.to_string()).is_some_and(|row| row["is_completed"] == true);
    if checked_out {
        orders::take_stock(ctx, id);
        ctx.order_event("orders.created", id, &json!({}));
    }
    id
}

/// `PATCH /orders/{id}/`.
pub(super) fn patch(ctx: &mut Ctx<'_>, row: Value, body: &Value) -> Result<Reply, Reply> {
    let id = row["id"].as_i64().unwrap_or_default();
    if body.get("orderrows").is_some() {
        check_open(ctx, id)?;
    }
    let mut changed = row.clone();
    let aside = ["mail", "note", "orderrows"];
    for (name, value) in body.as_object().into_iter().flatten().filter(|(name, _)| !aside.contains(&name.as_str())) {
        changed[name] = match (&changed[name], value) {
            (Value::Object(old), Value::Object(new)) => write::merged(old, new),
            _ => value.clone(),
        };
    }
    let now = ctx.stamp();
    let (note, mail) = (text(body, "note"), body["mail"] == true);
    if write::same(&row, &changed) && note.is_empty() && body.get("orderrows").is_none() && !mail {
        if ctx.switches.refuse_same_value {
            return Err(errors::error("500.50", "The values are the same as the present ones."));
        }
        return Ok(Reply::empty(204));
    }
    if !note.is_empty() {
        let note_id = ctx.next_id("ordernotes");
        ctx.put(
            "ordernotes",
            json!({"id": note_id, "order_id": id, "note": note, "type": "merchant", "create_date": now}),
        );
    }
    if mail {
        // The customer gets an e-mail about it; here it is only counted.
        let mail_id = ctx.next_id("_mails");
        ctx.put("_mails", json!({"id": mail_id, "order_id": id, "to": row["customer"]["email"], "create_date": now}));
    }
    if body.get("orderrows").is_some() {
        set_rows(ctx, &mut changed, &body["orderrows"])?;
    } else if [
        "total_shipping",
        "paymethod_costs",
        "extra_costs",
        "taxes_included",
        "order_row_taxes_included",
        "shipping_taxes_included",
    ]
    .iter()
    .any(|field| body.get(*field).is_some())
    {
        fill(ctx, &mut changed);
    }
    apply(ctx, &row, changed);
    Ok(Reply::empty(204))
}

/// Stores a changed order and tells what is worth telling.
pub(super) fn apply(ctx: &mut Ctx<'_>, row: &Value, changed: Value) {
    let id = row["id"].as_i64().unwrap_or_default();
    ctx.put("orders", changed.clone());
    if row["status"] != changed["status"] {
        let what = json!({"previous_status": row["status"], "status": changed["status"]});
        ctx.order_event("orders.updated.status", id, &what);
    }
    if row["paid"] != changed["paid"] {
        ctx.order_event("orders.updated.ispaid", id, &json!({"paid": changed["paid"]}));
    }
    if ["track_and_trace_code", "track_and_trace_carrier"].iter().any(|field| row[*field] != changed[*field]) {
        let what = json!({"track_and_trace_code": changed["track_and_trace_code"],
            "track_and_trace_carrier": changed["track_and_trace_carrier"]});
        ctx.order_event("orders.updated.trackandtrace", id, &what);
    }
}

/// Computes the totals of an order anew.
fn fill(ctx: &mut Ctx<'_>, order: &mut Value) {
    let id = order["id"].as_i64().unwrap_or_default();
    let mut rows: Vec<Value> = ctx.below("orderrows", "order_id", id).into_iter().cloned().collect();
    totals::fill(order, &mut rows, ctx.switches.tax_rounding == "row");
    for row in rows {
        ctx.put("orderrows", row);
    }
}

fn set_rows(ctx: &mut Ctx<'_>, order: &mut Value, given: &Value) -> Result<(), Reply> {
    let id = order["id"].as_i64().unwrap_or_default();
    let fresh = rows(ctx, given, &json!(0))?;
    let old: Vec<String> = ctx.below("orderrows", "order_id", id).iter().map(|row| row["id"].to_string()).collect();
    for key in old {
        ctx.store.delete("orderrows", &key);
    }
    for mut row in fresh.as_array().cloned().unwrap_or_default() {
        row["id"] = json!(ctx.next_id("orderrows"));
        row["order_id"] = json!(id);
        ctx.put("orderrows", row);
    }
    fill(ctx, order);
    Ok(())
}

/// Rows of an order that is complete cannot be changed.
fn check_open(ctx: &Ctx<'_>, order: i64) -> Result<(), Reply> {
    let order = ctx.row("orders", order)?;
    let closed = match ctx.switches.completed_means.as_str() {
        "status" => order["status"] == 7,
        _ => order["is_completed"] == true,
    };
    if closed { Err(errors::state("The rows of a completed order cannot be changed.")) } else { Ok(()) }
}

/// `PATCH /orderrows/{id}/`.
pub(super) fn patch_row(ctx: &mut Ctx<'_>, mut row: Value, body: &Map<String, Value>) -> Result<Reply, Reply> {
    let id = row["order_id"].as_i64().unwrap_or_default();
    check_open(ctx, id)?;
    for (name, value) in body {
        row[name] = value.clone();
    }
    ctx.put("orderrows", row);
    let mut order = ctx.row("orders", id)?.clone();
    fill(ctx, &mut order);
    ctx.put("orders", order);
    Ok(Reply::empty(204))
}

/// `PUT /orders/{id}/orderrows/`.
pub(super) fn replace_rows(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Reply, Reply> {
    check_open(ctx, id)?;
    let mut order = ctx.row("orders", id)?.clone();
    set_rows(ctx, &mut order, &body["orderrows"])?;
    ctx.put("orders", order);
    Ok(Reply::empty(204))
}

/// `PUT /orders/{id}/orderlabels/`.
pub(super) fn set_labels(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Reply, Reply> {
    let wanted: Vec<i64> = body["labels"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    for label in &wanted {
        ctx.row("labels", *label)?;
    }
    let old: Vec<String> = ctx.below("orderlabels", "order_id", id).iter().map(|row| row["id"].to_string()).collect();
    for key in old {
        ctx.store.delete("orderlabels", &key);
    }
    for label in wanted {
        let row_id = ctx.next_id("orderlabels");
        ctx.put(
            "orderlabels",
            json!({"id": row_id, "order_id": id, "label_id": label,
            "parent": super::render::href(&format!("orders/{id}"))}),
        );
    }
    Ok(Reply::empty(204))
}
