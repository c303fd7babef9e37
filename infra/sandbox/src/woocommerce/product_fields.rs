//! What may be written of a product or a variation, taken over in the shop's forgiving way.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::errors::error_with;
use super::order_write::{merge_meta, price_text};
use super::orders::set_moment;
use super::request::parse_moment;
use super::words::{described, escaped, free, slug};
use super::{Ctx, media, product_attributes};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{decimal, text, whole};

const PLAIN: &[&str] = &[
    "status",
    "featured",
    "catalog_visibility",
    "sku",
    "virtual",
    "downloadable",
    "tax_status",
    "tax_class",
    "backorders",
    "low_stock_amount",
    "sold_individually",
    "weight",
    "default_attributes",
    "menu_order",
    "global_unique_id",
    "type",
    "reviews_allowed",
    "purchase_note",
    "external_url",
    "button_text",
    "upsell_ids",
    "cross_sell_ids",
    "grouped_products",
    "parent_id",
];

/// Takes over what was sent; stores nothing but pictures, terms and counts. `parent` is the product of a variation.
pub(super) fn fill(ctx: &mut Ctx<'_>, mut row: Value, body: &Value, parent: Option<&Value>) -> Result<Value, Reply> {
    check_gtin(ctx.store, body, row["id"].as_i64().unwrap_or(0))?;
    let variation = parent.is_some();
    for field in PLAIN {
        let own = !variation || !["parent_id", "type"].contains(field);
        if let (Some(value), Some(target), true) = (body.get(*field), row.get_mut(*field), own) {
            *target = value.clone();
        }
    }
    words(ctx.store, &mut row, body, variation);
    if let Some(sizes) = body.get("dimensions").and_then(Value::as_object) {
        for (name, value) in sizes {
            row["dimensions"][name] = value.clone();
        }
    }
    prices(&mut row, body, ctx.now);
    set_stock(&mut row, body, ctx.switches.manage_stock);
    if !variation {
        lists(ctx, &mut row, body);
        if let Some(sent) = body.get("attributes").and_then(Value::as_array) {
            row["attributes"] = product_attributes::of_product(ctx, sent);
        }
        if let Some(images) = media::take_all(ctx, body.get("images"))? {
            row["images"] = images;
        }
        row["has_options"] = json!(text(&row, "type") == "variable");
    } else {
        if let (Some(sent), Some(parent)) = (body.get("attributes").and_then(Value::as_array), parent) {
            row["attributes"] = product_attributes::of_variation(ctx, parent, sent);
            row["name"] = json!(product_attributes::name(&row));
        }
        match body.get("image") {
            Some(Value::Null) => row["image"] = Value::Null,
            Some(image) if image.as_object().is_some_and(|image| !image.is_empty()) => {
                row["image"] = media::take(ctx, image)?;
            }
            _ => {}
        }
    }
    let mut meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    merge_meta(ctx, &mut meta, body.get("meta_data"));
    row["meta_data"] = Value::Array(meta);
    row["purchasable"] = json!(!text(&row, "price").is_empty() && text(&row, "status") == "publish");
    set_moment(&mut row, "date_modified", ctx.now);
    Ok(row)
}

/// A GTIN is there once, over products and variations; any text will do.
fn check_gtin(store: &Store, body: &Value, but: i64) -> Result<(), Reply> {
    let gtin = text(body, "global_unique_id");
    if gtin.is_empty() {
        return Ok(());
    }
    let found = ["products", "variations"]
        .into_iter()
        .flat_map(|table| store.find(table, "global_unique_id", gtin).unwrap_or_default());
    match found.into_iter().find(|row| row["id"].as_i64() != Some(but)) {
        None => Ok(()),
        Some(other) => {
            let message = "Invalid or duplicated GTIN, UPC, EAN or ISBN.";
            let extra = json!({"resource_id": other["id"], "unique_sku": ""});
            Err(error_with(400, "product_invalid_global_unique_id", message, extra))
        }
    }
}

fn words(store: &Store, row: &mut Value, body: &Value, variation: bool) {
    for field in ["description", "short_description"] {
        if let (Some(sent), true) = (body.get(field).and_then(Value::as_str), row.get(field).is_some()) {
            row[field] = json!(described(sent));
        }
    }
    if variation {
        return;
    }
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        row["name"] = json!(escaped(name));
    }
    let wish = match text(body, "slug") {
        "" if text(row, "slug").is_empty() => slug(text(row, "name")),
        own => slug(own),
    };
    if !wish.is_empty() {
        let id = row["id"].clone();
        let taken = |slug: &str| {
            let rows = store.find("products", "slug", slug).unwrap_or_default();
            rows.into_iter().any(|other| other["id"] != id)
        };
        let slug = free(&wish, taken);
        row["permalink"] = json!(format!("{}/product/{slug}/", super::render::RECORDED_SITE));
        row["slug"] = json!(slug);
    }
}

fn prices(row: &mut Value, body: &Value, now: DateTime<Utc>) {
    for field in ["regular_price", "sale_price"] {
        if let Some(value) = body.get(field) {
            // The shop has a decimal comma: "10,5" is a price; what is no number becomes no price.
            let typed = value.as_str().map_or_else(|| value.to_string(), |text| text.replace(',', "."));
            row[field] = json!(crate::text::parse_decimal(typed.trim()).map(price_text).unwrap_or_default());
        }
    }
    for field in ["date_on_sale_from", "date_on_sale_to"] {
        for (name, gmt) in [(field.to_owned(), false), (format!("{field}_gmt"), true)] {
            match body.get(&name) {
                Some(Value::String(text)) if !text.is_empty() => {
                    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| format!("{day}T00:00:00"));
                    if let Some(at) = parse_moment(&day.unwrap_or_else(|_| text.clone()), gmt) {
                        set_moment(row, field, at);
                    }
                }
                Some(_) => {
                    row[field] = Value::Null;
                    row[format!("{field}_gmt")] = Value::Null;
                }
                None => {}
            }
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
    let moment = now.format("%Y-%m-%dT%H:%M:%S").to_string();
    let begun = text(row, "date_on_sale_from_gmt") <= moment.as_str();
    let ended = !text(row, "date_on_sale_to_gmt").is_empty() && text(row, "date_on_sale_to_gmt") < moment.as_str();
    let sale = sale.filter(|_| begun && !ended);
    if text(row, "type") != "variable" {
        row["price"] = json!(sale.or(regular).map(price_text).unwrap_or_default());
        row["on_sale"] = json!(sale.is_some());
    }
}

/// With managed stock the quantity counts and the status follows; without it only the status counts.
fn set_stock(row: &mut Value, body: &Value, shop_manages: bool) {
    match body.get("manage_stock") {
        Some(Value::String(word)) if word == "parent" => row["manage_stock"] = json!("parent"),
        Some(Value::String(word)) => row["manage_stock"] = json!(["true", "1", "yes"].contains(&word.as_str())),
        Some(Value::Bool(yes)) => row["manage_stock"] = json!(yes),
        _ => {}
    }
    if row["manage_stock"] == json!(true) {
        let before = row["stock_quantity"].as_i64().unwrap_or(0);
        let quantity = match (body.get("stock_quantity"), body.get("inventory_delta")) {
            _ if !shop_manages => before,
            (Some(quantity), _) => whole(quantity).unwrap_or(0),
            (None, Some(delta)) => before + whole(delta).unwrap_or(0),
            (None, None) => before,
        };
        row["stock_quantity"] = json!(quantity);
        row["stock_status"] = json!(status_of(row, quantity));
    } else {
        row["stock_quantity"] = Value::Null;
        if let Some(status) = body.get("stock_status") {
            row["stock_status"] = status.clone();
        }
    }
    if row.get("backorders_allowed").is_some() {
        let allowed = text(row, "backorders") != "no";
        let owed = allowed && row["stock_quantity"].as_i64().is_some_and(|left| left < 0);
        (row["backorders_allowed"], row["backordered"]) = (json!(allowed), json!(owed));
    }
}

/// Status that follows from a quantity.
pub(super) fn status_of(row: &Value, quantity: i64) -> &'static str {
    match (quantity > 0, text(row, "backorders")) {
        (true, _) => "instock",
        (false, "notify" | "yes") => "onbackorder",
        _ => "outofstock",
    }
}

/// Categories, tags and shipping class: by id (the class by slug); what is not there falls away without a word.
fn lists(ctx: &mut Ctx<'_>, row: &mut Value, body: &Value) {
    for (list, table) in [("categories", "categories"), ("tags", "tags")] {
        let Some(sent) = body.get(list).and_then(Value::as_array) else { continue };
        let known = sent.iter().filter_map(|one| one.get("id").and_then(whole));
        let known = known.filter_map(|id| ctx.store.get(table, &id.to_string()));
        let mut taken: Vec<Value> =
            known.map(|term| json!({"id": term["id"], "name": term["name"], "slug": term["slug"]})).collect();
        taken.dedup();
        if taken.is_empty() && list == "categories" {
            taken.push(uncategorized());
        }
        count(ctx.store, table, &row[list], -1);
        row[list] = Value::Array(taken);
        count(ctx.store, table, &row[list], 1);
    }
    if let Some(class) = body.get("shipping_class").and_then(Value::as_str) {
        let found = ctx.store.rows("shipping_classes").find(|row| text(row, "slug") == class).cloned();
        if let Some(found) = found {
            (row["shipping_class"], row["shipping_class_id"]) = (found["slug"].clone(), found["id"].clone());
        } else if class.is_empty() {
            (row["shipping_class"], row["shipping_class_id"]) = (json!(""), json!(0));
        }
    }
}

/// The category of what has none.
pub(super) fn uncategorized() -> Value {
    json!({"id": 15, "name": "Uncategorized", "slug": "uncategorized"})
}

/// Counts products in their categories or tags.
pub(super) fn count(store: &mut Store, table: &str, list: &Value, change: i64) {
    for one in list.as_array().into_iter().flatten() {
        let key = one["id"].to_string();
        if let Some(mut term) = store.get(table, &key).cloned() {
            term["count"] = json!((term["count"].as_i64().unwrap_or(0) + change).max(0));
            store.put(table, &key, term);
        }
    }
}

/// Takes a category that is gone from its products.
pub(super) fn without_category(store: &mut Store, id: &Value) {
    let holds = |row: &&Value| row["categories"].as_array().into_iter().flatten().any(|one| one["id"] == *id);
    let products: Vec<Value> = store.rows("products").filter(holds).cloned().collect();
    for mut product in products {
        if let Some(list) = product.get_mut("categories").and_then(Value::as_array_mut) {
            list.retain(|one| one["id"] != *id);
            if list.is_empty() {
                list.push(uncategorized());
            }
        }
        store.put("products", &product["id"].to_string(), product);
    }
}

/// What a variable product shows of its variations: their ids, the lowest price, whether one is on sale or in stock.
pub(super) fn follow_variations(store: &mut Store, parent: i64) {
    let key = parent.to_string();
    let Some(mut product) = store.get("products", &key).cloned() else { return };
    let rows = store.find("variations", "parent_id", &key).unwrap_or_default();
    let rows: Vec<&Value> = rows.into_iter().filter(|row| text(row, "status") != "trash").collect();
    let known: Vec<i64> = product["variations"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let there = |id: &i64| rows.iter().any(|row| row["id"].as_i64() == Some(*id));
    let mut ids: Vec<i64> = known.iter().copied().filter(there).collect();
    ids.extend(rows.iter().filter_map(|row| row["id"].as_i64()).filter(|id| !known.contains(id)));
    let sold: Vec<&&Value> = rows.iter().filter(|row| text(row, "status") == "publish").collect();
    let lowest: Option<Decimal> = sold.iter().filter_map(|row| row.get("price").and_then(decimal)).min();
    let on_sale = sold.iter().any(|row| row["on_sale"] == true);
    let status = ["instock", "onbackorder"]
        .into_iter()
        .find(|status| sold.iter().any(|row| text(row, "stock_status") == *status))
        .unwrap_or("outofstock");
    (product["price"], product["on_sale"]) = (json!(lowest.map(price_text).unwrap_or_default()), json!(on_sale));
    product["purchasable"] = json!(lowest.is_some() && text(&product, "status") == "publish");
    if product["manage_stock"] != json!(true) {
        product["stock_status"] = json!(status);
    }
    product["variations"] = json!(ids);
    store.put("products", &key, product);
}
