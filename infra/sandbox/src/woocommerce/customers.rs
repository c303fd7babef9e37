//! Customers: accounts of the shop. Guests never appear here.

use serde_json::{Value, json};

use super::errors::{error, missing};
use super::order_write::{Step, merge_meta, run_batch};
use super::orders::{Paging, set_moment};
use super::request::{Check, Kind, check_body, is_email};
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::text;

const ROLES: &[&str] = &[
    "all",
    "administrator",
    "editor",
    "author",
    "contributor",
    "subscriber",
    "customer",
    "shop_manager",
    "wholesale_customer",
];

/// `GET /customers`; only the role `customer` unless another one is asked for.
pub(super) fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, &["id", "include", "name", "registered_date"], "name", "asc");
    let role = check.one_of("role", "customer", ROLES);
    let email = check.email("email");
    check.done()?;
    ctx.allow(Need::List)?;
    let part = ctx.params.get("search").map(str::to_lowercase);
    let wanted = |row: &Value| {
        (role == "all" || text(row, "role") == role)
            && email.as_ref().is_none_or(|email| text(row, "email").eq_ignore_ascii_case(email))
            && part.as_ref().is_none_or(|part| {
                ["email", "username", "first_name", "last_name"]
                    .iter()
                    .any(|field| text(row, field).to_lowercase().contains(part))
            })
            && paging.holds(row)
    };
    let looked_up = email.as_ref().and_then(|email| ctx.store.find("customers", "email", email));
    let mut rows = looked_up.unwrap_or_else(|| ctx.store.rows("customers").collect());
    rows.retain(|row| wanted(row));
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(row.clone(), &ctx.params)))
}

fn find(ctx: &Ctx<'_>, id: i64) -> Result<Value, Reply> {
    let row = ctx.store.get("customers", &id.to_string()).cloned();
    row.ok_or_else(|| error(404, "wc_user_invalid_id", "Invalid customer ID."))
}

/// `GET /customers/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &render::select(find(ctx, id)?, &ctx.params)))
}

/// Inspection: puts whole customers in, or in the place of those with the same number.
pub(super) fn insert_raw(store: &mut Store, body: Value) -> Result<Reply, String> {
    let rows = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut ids = Vec::new();
    for row in rows {
        let id = row.get("id").and_then(Value::as_i64).ok_or("a customer is an object with an id")?;
        store.reserve_number("user", id);
        store.put("customers", &id.to_string(), row);
        ids.push(id);
    }
    Ok(Reply::json(201, &json!({"ids": ids})))
}

fn rules() -> [(&'static str, Kind<'static>); 4] {
    [("email", Kind::Text), ("billing", Kind::Object), ("shipping", Kind::Object), ("meta_data", Kind::Array)]
}

fn taken(ctx: &Ctx<'_>, email: &str, but: i64) -> bool {
    let rows = ctx.store.find("customers", "email", email).unwrap_or_default();
    rows.into_iter().any(|row| row["id"].as_i64() != Some(but))
}

/// `POST /customers`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    if body.get("email").is_none() {
        return Err(missing(&["email"]));
    }
    check_body(&body, &rules())?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, &body)?;
    Ok(render::json(201, &row))
}

fn insert(ctx: &mut Ctx<'_>, body: &Value) -> Result<Value, Reply> {
    let email = text(body, "email");
    if !is_email(email) {
        return Err(error(400, "customer_invalid_email", "Invalid email address."));
    }
    if taken(ctx, email, 0) {
        let message = "An account is already registered with your email address.";
        return Err(error(400, "registration-error-email-exists", message));
    }
    let known = |name: &str| ctx.store.find("customers", "username", name).is_some_and(|rows| !rows.is_empty());
    let username = match text(body, "username") {
        "" => super::words::free(&email.split('@').next().unwrap_or_default().to_lowercase(), known),
        name if known(name) => {
            let message = "An account is already registered with that username.";
            return Err(error(400, "registration-error-username-exists", message));
        }
        name => name.to_owned(),
    };
    let id = ctx.store.next_number("user", 10);
    let blank = json!({"first_name": "", "last_name": "", "company": "", "address_1": "", "address_2": "", "city": "",
        "postcode": "", "country": "", "state": "", "email": "", "phone": ""});
    let mut shipping = blank.clone();
    if let Value::Object(map) = &mut shipping {
        map.shift_remove("email");
    }
    let site = format!("{}/wp-json/wc/v3/customers", render::RECORDED_SITE);
    let mut row = json!({"id": id, "date_created": null, "date_created_gmt": null, "date_modified": null,
        "date_modified_gmt": null, "email": email, "first_name": "", "last_name": "", "role": "customer",
        "username": username, "billing": blank, "shipping": shipping, "is_paying_customer": false, "avatar_url": "",
        "meta_data": [], "_links": {"self": [{"href": format!("{site}/{id}")}], "collection": [{"href": site}]}});
    set_moment(&mut row, "date_created", ctx.now);
    let row = fill(ctx, row, body);
    ctx.happened("customer", "created", id);
    Ok(row)
}

/// Takes over what may be written (the role may not) and stores the row.
fn fill(ctx: &mut Ctx<'_>, mut row: Value, body: &Value) -> Value {
    for field in ["email", "first_name", "last_name"] {
        if let Some(value) = body.get(field).filter(|value| value.is_string()) {
            row[field] = value.clone();
        }
    }
    for part in ["billing", "shipping"] {
        for (name, value) in body.get(part).and_then(Value::as_object).into_iter().flatten() {
            if row[part].get(name).is_some() && value.is_string() {
                row[part][name] = value.clone();
            }
        }
    }
    let mut meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    merge_meta(ctx, &mut meta, body.get("meta_data"));
    row["meta_data"] = Value::Array(meta);
    set_moment(&mut row, "date_modified", ctx.now);
    ctx.store.put("customers", &row["id"].to_string(), row.clone());
    row
}

/// `PUT /customers/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, id, &body)?;
    Ok(render::json(200, &row))
}

fn change(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Value, Reply> {
    let row = find(ctx, id)?;
    if let Some(email) = body.get("email").and_then(Value::as_str)
        && (!is_email(email) || taken(ctx, email, id))
    {
        return Err(error(400, "woocommerce_rest_customer_invalid_email", "Email address is invalid."));
    }
    let row = fill(ctx, row, body);
    ctx.happened("customer", "updated", id);
    Ok(row)
}

/// `DELETE /customers/{id}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    find(ctx, id)?;
    if !ctx.params.flag("force") {
        return Err(error(501, "woocommerce_rest_trash_not_supported", "Customers do not support trashing."));
    }
    let row = remove(ctx, id)?;
    Ok(render::json(200, &row))
}

/// A customer that goes is told, unlike a product or an order that is deleted for good.
fn remove(ctx: &mut Ctx<'_>, id: i64) -> Result<Value, Reply> {
    let row = find(ctx, id)?;
    ctx.store.delete("customers", &id.to_string());
    ctx.happened("customer", "deleted", id);
    Ok(row)
}

/// `POST /customers/batch`.
pub(super) fn batch(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Create => insert(ctx, item),
        Step::Update(id) => change(ctx, id, item),
        Step::Delete(id) => remove(ctx, id),
    })
}
