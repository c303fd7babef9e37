//! Variations of products: resources of their own below their parent.

use serde_json::{Value, json};

use super::errors::{error, invalid_id};
use super::order_write::{Step, run_batch};
use super::orders::{Paging, Window, set_moment};
use super::product_fields::{fill, follow_variations};
use super::products::{check_sku, rules};
use super::request::{Check, check_body};
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::text;

/// `GET /products/{id}/variations` (empty for an unknown parent), and `GET /variations` over all parents.
pub(super) fn list(ctx: &mut Ctx<'_>, parent: Option<i64>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let orderby = ["date", "id", "include", "title", "slug", "modified", "menu_order"];
    let paging = Paging::of(ctx, &mut check, &orderby, "date", "desc");
    let window = Window::of(&mut check);
    let parent_ids = check.ints("parent_id");
    check.done()?;
    ctx.allow(Need::List)?;
    let skus: Vec<String> = ctx.params.list("sku").into_iter().map(|sku| sku.to_lowercase()).collect();
    let keys: Vec<(&str, &str)> = skus.iter().map(|sku| ("sku", sku.as_str())).collect();
    let owner = parent.map(|parent| parent.to_string());
    let found = match &owner {
        Some(owner) => ctx.store.find("variations", "parent_id", owner),
        None if !keys.is_empty() => ctx.store.find_any("variations", &keys),
        None => None,
    };
    let mut rows: Vec<&Value> = found
        .unwrap_or_else(|| ctx.store.rows("variations").collect())
        .into_iter()
        .filter(|row| parent.is_none_or(|parent| row["parent_id"].as_i64() == Some(parent)))
        .filter(|row| parent_ids.is_empty() || row["parent_id"].as_i64().is_some_and(|id| parent_ids.contains(&id)))
        .filter(|row| skus.is_empty() || skus.contains(&text(row, "sku").to_lowercase()))
        .filter(|row| text(row, "status") != "trash" && paging.holds(row) && window.holds(row))
        .collect();
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(shown(ctx.store, row), &ctx.params)))
}

/// A variation as it is shown: stock that lives on the parent is the parent's. Other rows stay as they are.
pub(super) fn shown(store: &Store, row: &Value) -> Value {
    let mut row = row.clone();
    if text(&row, "type") != "variation" || row["manage_stock"] == json!(true) {
        return row;
    }
    let parent = store.get("products", &row["parent_id"].to_string());
    match parent.filter(|parent| parent["manage_stock"] == json!(true)) {
        Some(parent) => {
            row["manage_stock"] = json!("parent");
            row["stock_quantity"] = parent["stock_quantity"].clone();
            row["stock_status"] = parent["stock_status"].clone();
        }
        None => row["manage_stock"] = json!(false),
    }
    row
}

fn find(ctx: &Ctx<'_>, parent: i64, id: i64) -> Result<Value, Reply> {
    let row = ctx.store.get("variations", &id.to_string()).filter(|row| row["parent_id"].as_i64() == Some(parent));
    row.cloned().ok_or_else(|| invalid_id(404, "product_variation"))
}

/// `GET /products/{id}/variations/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, parent: i64, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &render::select(shown(ctx.store, &find(ctx, parent, id)?), &ctx.params)))
}

/// `POST /products/{id}/variations`.
pub(super) fn create(ctx: &mut Ctx<'_>, parent: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, parent, &body)?;
    Ok(render::json(201, &row))
}

fn insert(ctx: &mut Ctx<'_>, parent: i64, body: &Value) -> Result<Value, Reply> {
    let Some(owner) = ctx.store.get("products", &parent.to_string()).cloned() else {
        return Err(error(
            404,
            "woocommerce_rest_product_variation_invalid_parent",
            "Cannot set attributes due to invalid parent product.",
        ));
    };
    check_sku(ctx.store, body, 0)?;
    let id = ctx.store.next_number("post", 100);
    let site = render::RECORDED_SITE;
    let mut row = json!({"id": id, "type": "variation", "date_created": null, "date_created_gmt": null,
        "date_modified": null, "date_modified_gmt": null, "description": "", "permalink": "", "sku": "",
        "global_unique_id": "", "price": "", "regular_price": "", "sale_price": "",
        "date_on_sale_from": null, "date_on_sale_from_gmt": null, "date_on_sale_to": null, "date_on_sale_to_gmt": null,
        "on_sale": false, "status": "publish", "purchasable": true, "virtual": false, "downloadable": false, "tax_status": "taxable",
        "tax_class": "parent", "manage_stock": false, "stock_quantity": null, "stock_status": "instock",
        "backorders": "no", "backorders_allowed": false, "backordered": false, "low_stock_amount": null, "weight": "",
        "dimensions": {"length": "", "width": "", "height": ""}, "shipping_class": "", "shipping_class_id": 0,
        "image": null, "gallery_image_ids": [],
        "attributes": [], "menu_order": 0, "meta_data": [], "name": "", "parent_id": parent,
        "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/products/{parent}/variations/{id}")}],
            "up": [{"href": format!("{site}/wp-json/wc/v3/products/{parent}")}]}});
    set_moment(&mut row, "date_created", ctx.now);
    let row = fill(ctx, row, body, Some(&owner))?;
    ctx.store.put("variations", &id.to_string(), row.clone());
    follow_variations(ctx.store, parent);
    ctx.happened("product", "created", id);
    Ok(shown(ctx.store, &row))
}

/// `PUT /products/{id}/variations/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, parent: i64, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, parent, id, &body)?;
    Ok(render::json(200, &row))
}

pub(super) fn change(ctx: &mut Ctx<'_>, parent: i64, id: i64, body: &Value) -> Result<Value, Reply> {
    let row = find(ctx, parent, id)?;
    check_sku(ctx.store, body, id)?;
    let owner = ctx.store.get("products", &parent.to_string()).cloned().unwrap_or_default();
    let row = fill(ctx, row, body, Some(&owner))?;
    ctx.store.put("variations", &id.to_string(), row.clone());
    follow_variations(ctx.store, parent);
    ctx.happened("product", "updated", id);
    Ok(shown(ctx.store, &row))
}

/// `DELETE /products/{id}/variations/{id}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, parent: i64, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    let force = ctx.params.flag("force");
    let row = remove(ctx, parent, id, force)?;
    Ok(render::json(200, &row))
}

fn remove(ctx: &mut Ctx<'_>, parent: i64, id: i64, force: bool) -> Result<Value, Reply> {
    let mut row = find(ctx, parent, id)?;
    if force {
        ctx.store.delete("variations", &id.to_string());
    } else {
        if text(&row, "status") == "trash" {
            return Err(error(410, "woocommerce_rest_already_trashed", "The variation has already been deleted."));
        }
        row["status"] = json!("trash");
        ctx.store.put("variations", &id.to_string(), row.clone());
        ctx.happened("product", "deleted", id);
    }
    follow_variations(ctx.store, parent);
    Ok(row)
}

/// `POST /products/{id}/variations/batch`.
pub(super) fn batch(ctx: &mut Ctx<'_>, parent: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Create => insert(ctx, parent, item),
        Step::Update(id) => change(ctx, parent, id, item),
        Step::Delete(id) => remove(ctx, parent, id, true),
    })
}
