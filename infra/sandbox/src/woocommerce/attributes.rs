//! Attributes of the whole shop; their terms are in `terms.rs`.

use serde_json::{Value, json};

use super::errors::{error, missing};
use super::order_write::{Step, run_batch};
use super::request::{Kind, check_body};
use super::words::slug;
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::text::text;

/// Longest slug, without the `pa_` the shop puts before it.
const LONGEST: usize = 29;
const ORDERS: &[&str] = &["menu_order", "name", "name_num", "id"];

fn find(ctx: &Ctx<'_>, id: i64) -> Result<Value, Reply> {
    let row = ctx.store.get("attributes", &id.to_string()).cloned();
    row.ok_or_else(|| error(404, "woocommerce_rest_taxonomy_invalid", "Resource does not exist."))
}

/// `GET /products/attributes/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &render::select(find(ctx, id)?, &ctx.params)))
}

/// `POST /products/attributes`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    if body.get("name").is_none() {
        return Err(missing(&["name"]));
    }
    check_body(&body, &[("order_by", Kind::OneOf(ORDERS)), ("has_archives", Kind::Bool)])?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, &body)?;
    Ok(render::json(201, &row))
}

/// The slug the shop makes of this, when it may have it.
fn slug_of(ctx: &Ctx<'_>, wish: &str, but: &Value) -> Result<String, Reply> {
    let slug = slug(wish.strip_prefix("pa_").unwrap_or(wish));
    let refused = |message: String| Err(error(400, "woocommerce_rest_cannot_create", &message));
    if slug.is_empty() {
        return refused("Please, provide an attribute name.".into());
    }
    if slug.len() > LONGEST {
        return refused(format!("Slug \"{slug}\" is too long ({LONGEST} characters max)."));
    }
    let full = format!("pa_{slug}");
    if ctx.store.rows("attributes").any(|row| text(row, "slug") == full && row["id"] != *but) {
        return refused(format!("Slug \"{slug}\" is already in use."));
    }
    Ok(full)
}

fn insert(ctx: &mut Ctx<'_>, body: &Value) -> Result<Value, Reply> {
    let name = text(body, "name").trim();
    let wish = if text(body, "slug").is_empty() { name } else { text(body, "slug") };
    let slug = slug_of(ctx, wish, &Value::Null)?;
    let id = ctx.store.next_number("attribute", 3);
    let address = format!("{}/wp-json/wc/v3/products/attributes", render::RECORDED_SITE);
    let word = |field: &str, usual: &str| match text(body, field) {
        "" => usual.to_owned(),
        word => word.to_owned(),
    };
    let row = json!({"id": id, "name": name, "slug": slug, "type": word("type", "select"),
        "order_by": word("order_by", "menu_order"), "has_archives": body["has_archives"].as_bool().unwrap_or(false),
        "_links": {"self": [{"href": format!("{address}/{id}")}], "collection": [{"href": address}]}});
    ctx.store.put("attributes", &id.to_string(), row.clone());
    Ok(row)
}

/// `PUT /products/attributes/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &[("order_by", Kind::OneOf(ORDERS)), ("has_archives", Kind::Bool)])?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, id, &body)?;
    Ok(render::json(200, &row))
}

fn change(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Value, Reply> {
    let mut row = find(ctx, id)?;
    if !text(body, "slug").is_empty() {
        row["slug"] = json!(slug_of(ctx, text(body, "slug"), &row["id"])?);
    }
    for field in ["name", "type", "order_by", "has_archives"] {
        if let Some(value) = body.get(field) {
            row[field] = value.clone();
        }
    }
    ctx.store.put("attributes", &id.to_string(), row.clone());
    Ok(row)
}

/// `DELETE /products/attributes/{id}`: with its terms, and only with `force`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    let row = find(ctx, id)?;
    if !ctx.params.flag("force") {
        let message = "Resource does not support trashing.";
        return Err(error(501, "woocommerce_rest_trash_not_supported", message));
    }
    remove(ctx, id);
    Ok(render::json(200, &row))
}

fn remove(ctx: &mut Ctx<'_>, id: i64) {
    ctx.store.delete("attributes", &id.to_string());
    let terms = ctx.store.rows("terms").filter(|row| row["attribute_id"].as_i64() == Some(id));
    let terms: Vec<String> = terms.map(|row| row["id"].to_string()).collect();
    for term in terms {
        ctx.store.delete("terms", &term);
    }
}

/// `POST /products/attributes/batch`.
pub(super) fn batch(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Create => insert(ctx, item),
        Step::Update(id) => change(ctx, id, item),
        Step::Delete(id) => {
            let row = find(ctx, id)?;
            remove(ctx, id);
            Ok(row)
        }
    })
}
