//! Products: created, changed, given values of attributes. Numbers are there once, prices are never per variant.

use serde_json::{Map, Value, json};

use super::render::same_text;
use super::{Ctx, check, errors, products, rules, seeds, variants};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

/// Refuses a number that a product or combination has already; `own` is the one that is written.
fn check_number(ctx: &Ctx<'_>, wanted: &str, own: (&str, i64)) -> Result<(), Reply> {
    if !ctx.switches.unique_product_numbers || wanted.trim().is_empty() {
        return Ok(());
    }
    for (table, field) in [("products", "productnumber"), ("attributecombinations", "product_number")] {
        for other in ctx.store.find(table, field, wanted).unwrap_or_default() {
            let itself = table == own.0 && other["id"].as_i64() == Some(own.1);
            let forgotten = other["_trashed"] == true && !ctx.switches.trash_keeps_number;
            if !itself && !forgotten {
                return Err(errors::taken(field, wanted));
            }
        }
    }
    Ok(())
}

fn check_amounts(ctx: &Ctx<'_>, row: &Value) -> Result<(), Reply> {
    for field in ["price", "discount", "weight", "purchaseprice"] {
        if amount(row, field).is_sign_negative() && !amount(row, field).is_zero() {
            return Err(errors::schema(ctx.switches, &format!("{field} cannot be below zero")));
        }
    }
    Ok(())
}

/// `brand` and `condition` by name: the row of that name, made when there is none.
fn named(ctx: &mut Ctx<'_>, row: &mut Value, body: &Map<String, Value>) {
    for (field, link, table) in [("brand", "brand_id", "brands"), ("condition", "condition_id", "conditions")] {
        let Some(name) = body.get(field).and_then(Value::as_str) else { continue };
        if let Some(map) = row.as_object_mut() {
            map.shift_remove(field);
        }
        if name.is_empty() {
            row[link] = Value::Null;
            continue;
        }
        let known = ctx.store.rows(table).find(|row| same_text(row, "name", name)).map(|row| row["id"].clone());
        row[link] = known.unwrap_or_else(|| {
            let id = ctx.next_id(table);
            ctx.put(table, json!({"id": id, "name": name}));
            json!(id)
        });
    }
}

/// `vatrate` was replaced by `taxtariff`; a shop of today may not know it any more.
fn with_tariff(ctx: &Ctx<'_>, mut body: Map<String, Value>) -> Result<Map<String, Value>, Reply> {
    let Some(rate) = body.shift_remove("vatrate") else { return Ok(body) };
    if ctx.switches.vatrate == "refuse" {
        return Err(errors::schema(ctx.switches, "the property vatrate is not defined"));
    }
    let tariff =
        ["normal", "low a", "zero"].into_iter().find(|name| decimal(&rate) == Some(products::vat_rate(name).into()));
    let tariff = tariff.ok_or_else(|| errors::schema(ctx.switches, "vatrate is none of the rates of the shop"))?;
    body.entry("taxtariff").or_insert_with(|| json!(tariff));
    Ok(body)
}

/// `POST /products/`.
pub(super) fn create(ctx: &mut Ctx<'_>, body: Map<String, Value>) -> Result<Reply, Reply> {
    let given = Value::Object(body.clone());
    check::filled(ctx, &given, "name")?;
    let body = with_tariff(ctx, body)?;
    if !body.contains_key("taxtariff") {
        return Err(errors::schema(ctx.switches, "the property taxtariff is required"));
    }
    check_amounts(ctx, &given)?;
    rules::check_pointers(ctx, &given)?;
    check_number(ctx, text(&given, "productnumber"), ("products", 0))?;
    let used = ctx.store.rows("products").filter(|row| row["_trashed"] != true).count();
    if used >= ctx.switches.product_limit {
        return Err(errors::error("500.60", "The limit of products of this subscription is reached."));
    }
    let id = ctx.next_id("products");
    let mut row = seeds::product(id, "", text(&given, "name"), "0", &json!({}));
    for (name, value) in &body {
        let name = if name == "active" { "is_active" } else { name };
        row[name] = value.clone();
    }
    named(ctx, &mut row, &body);
    (row["createdate"], row["modifydate"]) = (json!(ctx.stamp()), json!(ctx.stamp()));
    ctx.put("products", row.clone());
    ctx.event("products.created", id);
    ctx.made("products", &row)
}

/// Before a changed product is stored.
pub(super) fn before_patch(
    ctx: &mut Ctx<'_>,
    row: &Value,
    changed: &mut Value,
    body: &Map<String, Value>,
) -> Result<(), Reply> {
    check::filled(ctx, changed, "name")?;
    check_amounts(ctx, changed)?;
    rules::check_pointers(ctx, changed)?;
    let id = row["id"].as_i64().unwrap_or_default();
    if row["productnumber"] != changed["productnumber"] {
        check_number(ctx, text(changed, "productnumber"), ("products", id))?;
    }
    let readonly = &ctx.switches.multishop_readonly_properties;
    if let Some(name) = body.keys().find(|name| readonly.contains(name)) {
        return Err(errors::state(&format!("{name} is set by the shop above this one.")));
    }
    if let Some(tariff) = with_tariff(ctx, body.clone())?.get("taxtariff") {
        changed["taxtariff"] = tariff.clone();
    }
    if let Some(map) = changed.as_object_mut() {
        map.shift_remove("vatrate");
    }
    named(ctx, changed, body);
    if products::by_combination(changed)
        && body.contains_key("stock")
        && ctx.switches.stock_on_attribute_product == "ignore"
    {
        // Its stock is the sum of its combinations, whatever is written here; the answer is that of a write.
        changed["stock"] = row["stock"].clone();
        changed["_stock_written"] = number(amount(row, "_stock_written") + rust_decimal::Decimal::ONE);
    }
    Ok(())
}

/// Before a changed combination is stored.
pub(super) fn before_patch_combination(ctx: &Ctx<'_>, row: &Value, changed: &Value) -> Result<(), Reply> {
    if row["product_number"] != changed["product_number"] {
        let id = row["id"].as_i64().unwrap_or_default();
        check_number(ctx, text(changed, "product_number"), ("attributecombinations", id))?;
    }
    Ok(())
}

/// A product of which something below it changed.
pub(super) fn touch(ctx: &mut Ctx<'_>, product: i64) {
    let Some(mut row) = ctx.store.get("products", &product.to_string()).cloned() else { return };
    row["modifydate"] = json!(ctx.stamp());
    ctx.put("products", row);
    ctx.event("products.updated", product);
}

/// `POST /products/{id}/productattributevalues/`: the combinations follow by themselves.
pub(super) fn add_value(ctx: &mut Ctx<'_>, product: i64, body: &Map<String, Value>) -> Result<Reply, Reply> {
    let value = body.get("optionvalue").and_then(Value::as_i64).unwrap_or_default();
    let value_row = ctx.row("attributevalues", value)?.clone();
    if ctx.below("productattributevalues", "product_id", product).iter().any(|row| row["optionvalue_id"] == value) {
        return Err(errors::taken("optionvalue", &value.to_string()));
    }
    let before: Vec<String> = ids_of_combinations(ctx, product);
    let price = body.get("price").and_then(decimal).unwrap_or_default();
    if ctx.store.get("_sequences", "productattributevalues").is_none() {
        ctx.store.reserve_number("productattributevalues", 100);
    }
    let mut row = seeds::value_row(ctx.store, product, &value_row, &price.to_string());
    for field in ["position", "enable"] {
        if let Some(value) = body.get(field) {
            row[field] = value.clone();
        }
    }
    ctx.put("productattributevalues", row.clone());
    variants::regenerate(ctx.store, product);
    if let Some(stock) = body.get("stock") {
        for key in ids_of_combinations(ctx, product).into_iter().filter(|key| !before.contains(key)) {
            let Some(mut made) = ctx.store.get("attributecombinations", &key).cloned() else { continue };
            made["stock"] = stock.clone();
            ctx.put("attributecombinations", made);
        }
    }
    touch(ctx, product);
    ctx.made("productattributevalues", &row)
}

fn ids_of_combinations(ctx: &Ctx<'_>, product: i64) -> Vec<String> {
    ctx.below("attributecombinations", "product_id", product).into_iter().map(|row| row["id"].to_string()).collect()
}
