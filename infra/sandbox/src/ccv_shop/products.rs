//! Products as they are read and found, and what a sale does to their stock.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::query::Wanted;
use super::render::{href, picture, same_text};
use super::{Ctx, SITE, errors, lists};
use crate::message::Reply;
use crate::text::{amount, number, text};

/// VAT of a tariff at home.
pub(super) fn vat_rate(tariff: &str) -> i64 {
    match tariff {
        "normal" => 21,
        "low a" | "low b" => 9,
        _ => 0,
    }
}

/// True when its stock is kept per combination.
pub(super) fn by_combination(row: &Value) -> bool {
    text(row, "stocktype").eq_ignore_ascii_case("attribute")
}

/// A product with what stands elsewhere: its brand, package, main photo, stock of its combinations.
pub(super) fn shown(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let id = row["id"].as_i64().unwrap_or_default();
    for (field, link, resource) in [
        ("brand", "brand_id", "brands"),
        ("condition", "condition_id", "conditions"),
        ("supplier", "supplier_id", "suppliers"),
        ("package", "package_id", "packages"),
    ] {
        if let Some(other) = row[link].as_i64().filter(|id| *id > 0) {
            let name = ctx.store.get(resource, &other.to_string()).map(|row| row["name"].clone());
            row[field] = json!({"href": href(&format!("{resource}/{other}")), "id": other, "name": name});
        } else if field != "package" {
            row[field] = json!({"href": null, "id": null, "name": null});
        }
    }
    let photos = ctx.below("productphotos", "product_id", id);
    if let Some(main) = photos.iter().find(|photo| photo["is_mainphoto"] == true) {
        row["productmainphoto"] = json!(picture(text(main, "filename")));
    }
    if by_combination(&row) {
        let combinations = ctx.below("attributecombinations", "product_id", id);
        let sum: Decimal =
            combinations.iter().filter(|one| one["active"] == true).map(|one| amount(one, "stock")).sum();
        row["stock"] = number(sum);
    }
    row["vatrate"] = json!(vat_rate(text(&row, "taxtariff")));
    row["deeplink"] = json!(format!("{SITE}/{}/p-{id}", text(&row, "alias")));
    row["is_visible"] = row["is_active"].clone();
    row["can_be_ordered"] = row["is_active"].clone();
    row["productshippingcosts"] = json!({"costs": 0, "quantity": 1, "default_country": "NL",
        "href": href(&format!("products/{id}/productshippingcosts"))});
    row
}

/// Numbers of products are compared in three ways; which one the real shop has is not known.
fn same_number(ctx: &Ctx<'_>, own: &str, wanted: &str) -> bool {
    let (own, wanted) = (own.to_lowercase(), wanted.to_lowercase());
    match ctx.switches.productnumber_match.as_str() {
        "exact" => own == wanted,
        "prefix" => own.starts_with(&wanted),
        _ => own.contains(&wanted),
    }
}

/// True when a product passes a filter.
pub(super) fn holds(ctx: &Ctx<'_>, row: &Value, name: &str, wanted: &Wanted) -> bool {
    let sell = || amount(row, "price") - amount(row, "discount");
    match (name, wanted) {
        // What `/productqueries/` found is found already.
        _ if ctx.endpoint.resource() == "productqueries" => true,
        ("productnumber" | "eannumber" | "mpnnumber", Wanted::Text(value)) => same_number(ctx, text(row, name), value),
        ("productname", Wanted::Text(value)) => {
            value.chars().count() >= 3 && text(row, "name").to_lowercase().contains(&value.to_lowercase())
        }
        ("active", Wanted::Flag(wanted)) => row["is_active"].as_bool() == Some(*wanted),
        ("minprice", wanted) => amount(row, "price") >= lists::number(wanted),
        ("maxprice", wanted) => amount(row, "price") <= lists::number(wanted),
        ("mindiscount", wanted) => amount(row, "discount") >= lists::number(wanted),
        ("maxdiscount", wanted) => amount(row, "discount") <= lists::number(wanted),
        ("minsellprice", wanted) => sell() >= lists::number(wanted),
        ("maxsellprice", wanted) => sell() <= lists::number(wanted),
        ("stock", wanted) => amount(row, "stock") == lists::number(wanted),
        ("minstock", wanted) => amount(row, "stock") >= lists::number(wanted),
        ("maxstock", wanted) => amount(row, "stock") <= lists::number(wanted),
        ("color", Wanted::Text(value)) => same_text(&row["color"], "name", value),
        _ => true,
    }
}

/// `GET /productqueries/`: products and combinations by a number of theirs.
pub(super) fn found_by_query<'a>(ctx: &'a Ctx<'_>) -> Result<Vec<Cow<'a, Value>>, Reply> {
    let asked: Vec<(String, String)> = ctx
        .call
        .pairs()
        .into_iter()
        .filter(|(name, value)| {
            ["productnumber", "eannumber", "mpnnumber", "skunumber"].contains(&name.as_str()) && !value.is_empty()
        })
        .collect();
    if asked.is_empty() {
        let message = "one of productnumber, eannumber, mpnnumber, skunumber is needed";
        return Err(errors::schema(ctx.switches, message));
    }
    // Products have no SKU number, combinations no MPN.
    let fits = |row: &Value, names: &[(&str, &str)]| {
        asked.iter().all(|(name, value)| {
            let own = names.iter().find(|(filter, _)| filter == name).map(|(_, field)| *field);
            own.is_some_and(|field| same_text(row, field, value))
        })
    };
    const OF_PRODUCT: &[(&str, &str)] =
        &[("productnumber", "productnumber"), ("eannumber", "eannumber"), ("mpnnumber", "mpnnumber")];
    const OF_COMBINATION: &[(&str, &str)] =
        &[("productnumber", "product_number"), ("eannumber", "ean_number"), ("skunumber", "sku_number")];
    let mut found: Vec<Cow<'a, Value>> =
        ctx.store.rows("products").filter(|row| fits(row, OF_PRODUCT)).map(Cow::Borrowed).collect();
    for combination in ctx.store.rows("attributecombinations").filter(|row| fits(row, OF_COMBINATION)) {
        if ctx.switches.productqueries_items == "mixed" {
            let mut row = combination.clone();
            row["_shown_as"] = json!("attributecombinations");
            found.push(Cow::Owned(row));
            continue;
        }
        let Some(product) = ctx.store.get("products", &combination["product_id"].to_string()) else { continue };
        if !found.iter().any(|row| row["id"] == product["id"]) {
            found.push(Cow::Borrowed(product));
        }
    }
    Ok(found)
}

/// A sale of one row: stock goes down where the shop keeps it.
pub(super) fn sold(ctx: &mut Ctx<'_>, row: &Value) {
    let key = row["product_id"].to_string();
    let Some(mut product) = ctx.store.get("products", &key).cloned() else { return };
    if product["stockenabled"] != true {
        return;
    }
    let count = amount(row, "count");
    let combination = row["_combination"].as_i64().map(|id| id.to_string());
    match combination.and_then(|key| ctx.store.get("attributecombinations", &key).cloned()) {
        Some(mut combination) => {
            combination["stock"] = number(amount(&combination, "stock") - count);
            ctx.store.put("attributecombinations", &combination["id"].to_string(), combination);
        }
        None => product["stock"] = number(amount(&product, "stock") - count),
    }
    if ctx.switches.sale_moves_modifydate {
        product["modifydate"] = json!(ctx.stamp());
    }
    ctx.store.put("products", &key, product);
}
