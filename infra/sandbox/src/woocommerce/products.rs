//! Products, and what they share with their variations.

use serde_json::{Value, json};

use super::errors::{error, error_with, invalid_id};
use super::order_write::{Step, merge_meta, price_text, run_batch};
use super::orders::{Paging, Window, set_moment};
use super::request::{Check, Kind, check_body};
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{decimal, text, whole};

/// The product or variation with this SKU; what lies in the trash is not found.
pub(super) fn by_sku<'a>(store: &'a Store, sku: &str) -> Option<&'a Value> {
    ["products", "variations"]
        .into_iter()
        .flat_map(|table| store.find(table, "sku", sku).unwrap_or_default())
        .find(|row| text(row, "status") != "trash")
}

/// `GET /products`.
pub(super) fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    const STATUSES: &[&str] = &["any", "future", "trash", "draft", "pending", "private", "publish"];
    const ORDERBY: &[&str] =
        &["date", "id", "include", "title", "slug", "modified", "popularity", "rating", "price", "menu_order"];
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, ORDERBY, "date", "desc");
    let window = Window::of(&mut check);
    let status = check.one_of("status", "any", STATUSES);
    let kind = ctx.params.get("type").map(|_| check.one_of("type", "", &["simple", "grouped", "external", "variable"]));
    let stock = ctx
        .params
        .get("stock_status")
        .map(|_| check.one_of("stock_status", "", &["instock", "outofstock", "onbackorder"]));
    check.done()?;
    ctx.allow(Need::List)?;
    let skus: Vec<String> = ctx.params.list("sku").into_iter().map(|sku| sku.to_lowercase()).collect();
    let gtin = ctx.params.get("global_unique_id");
    let wanted = |row: &Value| {
        (if status == "any" { text(row, "status") != "trash" } else { text(row, "status") == status })
            && kind.as_ref().is_none_or(|kind| text(row, "type") == kind)
            && stock.as_ref().is_none_or(|stock| text(row, "stock_status") == stock)
            && (skus.is_empty() || skus.contains(&text(row, "sku").to_lowercase()))
            && gtin.is_none_or(|gtin| text(row, "global_unique_id") == gtin)
            && ctx
                .params
                .get("search_sku")
                .is_none_or(|part| text(row, "sku").to_lowercase().contains(&part.to_lowercase()))
            && ctx
                .params
                .get("search")
                .is_none_or(|part| text(row, "name").to_lowercase().contains(&part.to_lowercase()))
            && ctx.params.get("virtual").is_none_or(|_| row["virtual"] == json!(ctx.params.flag("virtual")))
            && paging.holds(row)
            && window.holds(row)
    };
    let mut rows: Vec<&Value> = ctx.store.rows("products").filter(|row| wanted(row)).collect();
    if !skus.is_empty() || gtin.is_some() {
        rows.extend(ctx.store.rows("variations").filter(|row| wanted(row))); // only these two find variations
    }
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(row.clone(), &ctx.params)))
}

/// `GET /products/{id}`; finds variations too.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    let key = id.to_string();
    let row = ctx.store.get("products", &key).or_else(|| ctx.store.get("variations", &key));
    let row = row.ok_or_else(|| invalid_id(404, "product"))?;
    Ok(render::json(200, &render::select(row.clone(), &ctx.params)))
}

const TYPES: &[&str] = &["simple", "grouped", "external", "variable"];

/// What the schema asks of a product or a variation outside a batch.
pub(super) fn rules() -> [(&'static str, Kind<'static>); 12] {
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
    let kind = body.get("type").and_then(Value::as_str).unwrap_or("simple");
    let mut row = json!({"id": id, "name": "Product", "slug": format!("product-{id}"),
        "permalink": format!("{site}/product/{id}/"), "date_created": null, "date_created_gmt": null,
        "date_modified": null, "date_modified_gmt": null, "type": kind, "status": "publish", "featured": false,
        "catalog_visibility": "visible", "description": "", "short_description": "", "sku": "", "price": "",
        "regular_price": "", "sale_price": "", "on_sale": false, "purchasable": false, "total_sales": 0,
        "virtual": false, "downloadable": false, "tax_status": "taxable", "tax_class": "", "manage_stock": false,
        "stock_quantity": null, "backorders": "no", "backorders_allowed": false, "backordered": false,
        "low_stock_amount": null, "sold_individually": false, "weight": "",
        "dimensions": {"length": "", "width": "", "height": ""}, "shipping_class": "", "shipping_class_id": 0,
        "parent_id": 0, "categories": [{"id": 15, "name": "Uncategorized", "slug": "uncategorized"}], "tags": [],
        "images": [], "attributes": [], "default_attributes": [], "variations": [], "grouped_products": [],
        "menu_order": 0, "related_ids": [], "meta_data": [], "stock_status": "instock", "global_unique_id": "",
        "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/products/{id}")}],
            "collection": [{"href": format!("{site}/wp-json/wc/v3/products")}]}});
    set_moment(&mut row, "date_created", ctx.now);
    let row = fill(ctx, row, body);
    ctx.store.put("products", &id.to_string(), row.clone());
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

/// Takes over what may be written, in the shop's forgiving way; stores nothing.
pub(super) fn fill(ctx: &mut Ctx<'_>, mut row: Value, body: &Value) -> Value {
    const PLAIN: &[&str] = &[
        "name",
        "slug",
        "status",
        "featured",
        "catalog_visibility",
        "description",
        "short_description",
        "sku",
        "virtual",
        "downloadable",
        "tax_status",
        "tax_class",
        "backorders",
        "low_stock_amount",
        "sold_individually",
        "weight",
        "dimensions",
        "shipping_class",
        "categories",
        "tags",
        "images",
        "attributes",
        "default_attributes",
        "menu_order",
        "global_unique_id",
        "manage_stock",
        "type",
        "image",
    ];
    for field in PLAIN {
        if let (Some(value), Some(target)) = (body.get(*field), row.get_mut(*field)) {
            *target = value.clone();
        }
    }
    for field in ["regular_price", "sale_price"] {
        if let Some(value) = body.get(field) {
            // The shop has a decimal comma: "10,5" is a price; what is no number becomes no price.
            let typed = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(',', "."));
            row[field] = json!(crate::text::parse_decimal(typed.trim()).map(price_text).unwrap_or_default());
        }
    }
    let regular = row.get("regular_price").and_then(decimal);
    let mut sale = row.get("sale_price").and_then(decimal);
    if let (Some(low), Some(high)) = (sale, regular)
        && low >= high
    {
        row["sale_price"] = json!("");
        sale = None;
    }
    if text(&row, "type") != "variable" {
        row["price"] = json!(sale.or(regular).map(price_text).unwrap_or_default());
        row["on_sale"] = json!(sale.is_some());
    }
    set_stock(&mut row, body);
    let mut meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    merge_meta(ctx, &mut meta, body.get("meta_data"));
    row["meta_data"] = Value::Array(meta);
    set_moment(&mut row, "date_modified", ctx.now);
    row
}

/// With managed stock the quantity counts and the status follows; without it only the status counts.
fn set_stock(row: &mut Value, body: &Value) {
    if row["manage_stock"] == json!(true) {
        if let Some(quantity) = body.get("stock_quantity") {
            row["stock_quantity"] = json!(whole(quantity).unwrap_or(0));
        } else if row["stock_quantity"].is_null() {
            row["stock_quantity"] = json!(0);
        }
        let left = row["stock_quantity"].as_i64().unwrap_or(0);
        let empty = if text(row, "backorders") == "no" { "outofstock" } else { "onbackorder" };
        row["stock_status"] = json!(if left > 0 { "instock" } else { empty });
    } else {
        row["stock_quantity"] = Value::Null;
        if let Some(status) = body.get("stock_status") {
            row["stock_status"] = status.clone();
        }
    }
}

/// `PUT /products/{id}`; not for variations.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, id, &body)?;
    Ok(render::json(200, &row))
}

fn change(ctx: &mut Ctx<'_>, id: i64, body: &Value) -> Result<Value, Reply> {
    if ctx.store.get("variations", &id.to_string()).is_some() {
        let message = "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.";
        return Err(error(404, "woocommerce_rest_invalid_product_id", message));
    }
    let row = ctx.store.get("products", &id.to_string()).cloned().ok_or_else(|| invalid_id(400, "product"))?;
    check_sku(ctx.store, body, id)?;
    let row = fill(ctx, row, body);
    ctx.store.put("products", &id.to_string(), row.clone());
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
        ctx.store.put("products", &key, row.clone());
        return Ok(row);
    }
    ctx.store.delete("products", &key);
    let children: Vec<String> = ctx
        .store
        .rows("variations")
        .filter(|child| child["parent_id"].as_i64() == Some(id))
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
