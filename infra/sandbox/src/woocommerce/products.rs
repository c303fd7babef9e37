//! Products, and what they share with their variations.

use serde_json::{Value, json};

use super::errors::{error, error_with, invalid_id};
use super::order_write::{Step, run_batch};
use super::orders::set_moment;
use super::product_fields::{count, fill, follow_variations, uncategorized};
use super::request::{Kind, check_body};
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::text;

/// The product or variation with this SKU; what lies in the trash is not found.
pub(super) fn by_sku<'a>(store: &'a Store, sku: &str) -> Option<&'a Value> {
    ["products", "variations"]
        .into_iter()
        .flat_map(|table| store.find(table, "sku", sku).unwrap_or_default())
        .find(|row| text(row, "status") != "trash")
}

/// `GET /products/{id}`; finds variations too.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    let key = id.to_string();
    let row = find(ctx.store, &key).ok_or_else(|| invalid_id(404, "product"))?;
    Ok(render::json(200, &render::select(row, &ctx.params)))
}

/// A product or variation as it is shown.
pub(super) fn find(store: &Store, key: &str) -> Option<Value> {
    let variation = || store.get("variations", key).map(|row| super::variations::shown(store, row));
    store.get("products", key).cloned().or_else(variation)
}

const TYPES: &[&str] = &["simple", "grouped", "external", "variable"];

/// What the schema asks of a product or a variation outside a batch.
pub(super) fn rules() -> [(&'static str, Kind<'static>); 19] {
    [
        ("type", Kind::OneOf(TYPES)),
        ("status", Kind::OneOf(&["draft", "pending", "private", "publish", "future", "auto-draft", "trash"])),
        ("stock_status", Kind::OneOf(&["instock", "outofstock", "onbackorder"])),
        ("tax_status", Kind::OneOf(&["taxable", "shipping", "none"])),
        ("backorders", Kind::OneOf(&["no", "notify", "yes"])),
        ("stock_quantity", Kind::IntegerOrNull),
        ("name", Kind::Text),
        ("sku", Kind::Text),
        ("regular_price", Kind::Text),
        ("sale_price", Kind::Text),
        ("images", Kind::Array),
        ("meta_data", Kind::Array),
        ("categories", Kind::Array),
        ("tags", Kind::Array),
        ("attributes", Kind::Array),
        ("dimensions", Kind::Object),
        ("virtual", Kind::Bool),
        ("catalog_visibility", Kind::OneOf(&["visible", "catalog", "search", "hidden"])),
        ("low_stock_amount", Kind::IntegerOrNull),
    ]
}

/// `POST /products`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, &body)?;
    Ok(render::json(201, &row))
}

fn insert(ctx: &mut Ctx<'_>, body: &Value) -> Result<Value, Reply> {
    check_sku(ctx.store, body, 0)?;
    let id = ctx.store.next_number("post", 100);
    let site = render::RECORDED_SITE;
    let kind = body.get("type").and_then(Value::as_str).filter(|kind| TYPES.contains(kind)).unwrap_or("simple");
    let head = json!({"id": id, "name": "Product", "slug": "", "permalink": "", "date_created": null,
        "date_created_gmt": null, "date_modified": null, "date_modified_gmt": null, "type": kind, "status": "publish",
        "featured": false, "catalog_visibility": "visible", "description": "", "short_description": "", "sku": "",
        "price": "", "regular_price": "", "sale_price": "", "date_on_sale_from": null, "date_on_sale_from_gmt": null,
        "date_on_sale_to": null, "date_on_sale_to_gmt": null, "on_sale": false, "purchasable": false, "total_sales": 0,
        "virtual": false, "downloadable": false, "downloads": [], "download_limit": -1, "download_expiry": -1,
        "external_url": "", "button_text": "", "tax_status": "taxable", "tax_class": "", "manage_stock": false,
        "stock_quantity": null, "backorders": "no", "backorders_allowed": false, "backordered": false,
        "low_stock_amount": null, "sold_individually": false, "weight": "",
        "dimensions": {"length": "", "width": "", "height": ""}, "shipping_required": true, "shipping_taxable": true});
    let tail = json!({"shipping_class": "", "shipping_class_id": 0, "reviews_allowed": true, "average_rating": "0.00",
        "rating_count": 0, "upsell_ids": [], "cross_sell_ids": [], "parent_id": 0, "purchase_note": "",
        "categories": [], "brands": [], "tags": [], "images": [], "attributes": [], "default_attributes": [],
        "variations": [], "grouped_products": [], "menu_order": 0, "price_html": "", "related_ids": [], "meta_data": [],
        "stock_status": "instock", "has_options": false, "post_password": "", "global_unique_id": "",
        "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/products/{id}")}],
            "collection": [{"href": format!("{site}/wp-json/wc/v3/products")}]}});
    let mut row = head;
    if let (Value::Object(row), Value::Object(tail)) = (&mut row, tail) {
        row.extend(tail);
    }
    set_moment(&mut row, "date_created", ctx.now);
    let mut row = fill(ctx, row, body, None)?;
    if row["categories"].as_array().is_none_or(Vec::is_empty) {
        row["categories"] = json!([uncategorized()]);
        count(ctx.store, "categories", &row["categories"].clone(), 1);
    }
    if row["virtual"] == true {
        (row["shipping_required"], row["shipping_taxable"]) = (json!(false), json!(false));
    }
    ctx.store.put("products", &id.to_string(), row.clone());
    ctx.happened("product", "created", id);
    if text(&row, "status") == "publish" {
        ctx.happened("product", "published", id);
    }
    Ok(row)
}

/// Products and variations share one space of SKUs; the trash keeps its own.
pub(super) fn check_sku(store: &Store, body: &Value, but: i64) -> Result<(), Reply> {
    let sku = text(body, "sku");
    if sku.is_empty() {
        return Ok(());
    }
    let found =
        ["products", "variations"].into_iter().flat_map(|table| store.find(table, "sku", sku).unwrap_or_default());
    let Some(other) = found.into_iter().find(|row| row["id"].as_i64() != Some(but)) else { return Ok(()) };
    if text(other, "status") == "trash" {
        let message =
            format!("The product with SKU ({sku}) you are trying to insert is already present in the lookup table");
        return Err(error(400, "woocommerce_rest_product_not_created", &message));
    }
    let extra = json!({"resource_id": other["id"], "unique_sku": format!("{sku}-1")});
    Err(error_with(400, "product_invalid_sku", "Invalid or duplicated SKU.", extra))
}

/// `PUT /products/{id}`; not for variations.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, id, &body)?;
    Ok(render::json(200, &row))
}

pub(super) fn change(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Value, Reply> {
    if ctx.store.get("variations", &id.to_string()).is_some() {
        let message = "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.";
        return Err(error(404, "woocommerce_rest_invalid_product_id", message));
    }
    let row = ctx.store.get("products", &id.to_string()).cloned().ok_or_else(|| invalid_id(400, "product"))?;
    check_sku(ctx.store, body, id)?;
    let before = text(&row, "status").to_owned();
    let mut row = fill(ctx, row, body, None)?;
    if text(&row, "type") == "variable" {
        ctx.store.put("products", &id.to_string(), row.clone());
        follow_variations(ctx.store, id);
        row = ctx.store.get("products", &id.to_string()).cloned().unwrap_or(row);
    } else {
        ctx.store.put("products", &id.to_string(), row.clone());
    }
    let after = text(&row, "status");
    if before == "trash" && after != "trash" {
        ctx.happened("product", "restored", id);
    }
    if before != "publish" && after == "publish" {
        ctx.happened("product", "published", id);
    }
    ctx.happened("product", "updated", id);
    Ok(row)
}

/// `DELETE /products/{id}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    let force = ctx.params.flag("force");
    let row = remove(ctx, id, force)?;
    Ok(render::json(200, &row))
}

fn remove(ctx: &mut Ctx<'_>, id: i64, force: bool) -> Result<Value, Reply> {
    let key = id.to_string();
    let mut row = ctx.store.get("products", &key).cloned().ok_or_else(|| invalid_id(404, "product"))?;
    if !force {
        if text(&row, "status") == "trash" {
            return Err(error(410, "woocommerce_rest_already_trashed", "The product has already been deleted."));
        }
        row["status"] = json!("trash");
        set_moment(&mut row, "date_modified", ctx.now);
        ctx.store.put("products", &key, row.clone());
        ctx.happened("product", "deleted", id);
        return Ok(row);
    }
    // What is deleted for good goes in silence.
    count(ctx.store, "categories", &row["categories"], -1);
    count(ctx.store, "tags", &row["tags"], -1);
    ctx.store.delete("products", &key);
    let children: Vec<String> = ctx
        .store
        .find("variations", "parent_id", &key)
        .unwrap_or_default()
        .into_iter()
        .map(|child| child["id"].to_string())
        .collect();
    for child in children {
        ctx.store.delete("variations", &child);
    }
    Ok(row)
}

/// `POST /products/batch`.
pub(super) fn batch(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Create => insert(ctx, item),
        Step::Update(id) => change(ctx, id, item),
        Step::Delete(id) => remove(ctx, id, true),
    })
}
