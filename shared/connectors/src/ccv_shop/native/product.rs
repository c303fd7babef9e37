//! A native product made ready for rows:
//!
//! * `combinations`: what is sold of it when it has options, each with its own `price` and `choices`; `options`: all choices
//! * `photos`: its pictures, the main one first
//! * `category_paths`: names of its categories from the root
//! * `properties`: what informs about it: each property with its name and value
//! * `vat_percent`, `currency`, `prices_include_vat`: what its price means

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{collection, decimal, id, is_yes, list, moment, number, text};
use crate::ccv_shop::categories::Tree;
use crate::ccv_shop::properties::Property;
use crate::ccv_shop::shop::ShopFacts;

/// What is asked for with a product.
pub const CHILDREN: &str = "attributecombinations,productphotos,producttocategories,producttopropertygroups";
/// Records a page: with children they are large.
pub const PAGE: u64 = 100;

/// Makes a source record of a native product that was asked for with its children.
pub fn record(
    mut raw: Value,
    tree: &Tree,
    shop: &ShopFacts,
    properties: &[(Property, String)],
) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("product_without_id", "the shop answered a product without an id")));
    };
    let sku = text(&raw["productnumber"]).trim().to_owned();
    let price = decimal(&raw["price"]).unwrap_or_default();
    let combinations: Vec<Value> = combinations(&raw).iter().map(|one| prepare_combination(one, price)).collect();
    raw["options"] = options(&combinations);
    raw["combinations"] = Value::Array(combinations);
    let mut photos = collection(&raw, "productphotos");
    photos.sort_by_key(|photo| !is_yes(&photo["is_mainphoto"]));
    raw["photos"] = Value::Array(photos);
    let paths =
        category_ids(&raw).into_iter().filter_map(|id| Some(json!({ "id": id.to_string(), "path": tree.path(&id)? })));
    raw["category_paths"] = paths.collect();
    let property = |(property, value): &(Property, String)| json!({ "name": property.name, "value": value });
    raw["properties"] = properties.iter().map(property).collect();
    raw["vat_percent"] = json!(shop.percent_of(&raw).map(|percent| percent.normalize().to_string()));
    raw["currency"] = json!(shop.currency);
    raw["prices_include_vat"] = json!(shop.prices_include_vat);
    let modified_at = changed_at(&raw);
    if let Some(fields) = raw.as_object_mut() {
        // They are there under names of their own, or no row needs them.
        fields.retain(|name, value| !CHILDREN.split(',').any(|child| child == name) && !is_link(value));
    }
    let (label, partition) =
        if sku.is_empty() { (key.to_string(), format!("product:{key}")) } else { (sku.clone(), sku) };
    Ok(SourceRecord { key, label, partition, modified_at, raw })
}

/// When the product was changed, or made.
pub fn changed_at(raw: &Value) -> Option<chrono::DateTime<chrono::Utc>> {
    moment(&raw["modifydate"]).or_else(|| moment(&raw["createdate"]))
}

/// Ids of the categories that a product is in.
pub fn category_ids(raw: &Value) -> Vec<u64> {
    collection(raw, "producttocategories").iter().filter_map(|link| number(&link["category_id"])).collect()
}

/// Ids of children that were asked for with a product.
pub fn collection_ids(raw: &Value, name: &str) -> Vec<u64> {
    collection(raw, name).iter().filter_map(id).collect()
}

/// What is sold of a product with options.
pub fn combinations(raw: &Value) -> Vec<Value> {
    collection(raw, "attributecombinations")
}

/// Choices of a combination: name of the option and of its value, and what the value costs on top.
pub fn choices(combination: &Value) -> Vec<(String, String, Decimal)> {
    let choice = |one: &Value| {
        let (option, value) = (text(&one["attribute"]["name"]), text(&one["attribute_value"]["name"]));
        (option, value, decimal(&one["extra_price"]).unwrap_or_default())
    };
    list(&combination["combination"])
        .iter()
        .map(choice)
        .filter(|(option, value, _)| !option.is_empty() && !value.is_empty())
        .collect()
}

/// The price of a combination: that of its product, and what its choices cost on top.
pub fn price_of(combination: &Value, price: Decimal) -> Decimal {
    let choices = choices(combination);
    if choices.is_empty() {
        return price + decimal(&combination["netto_extra_price"]).unwrap_or_default();
    }
    price + choices.iter().map(|(.., extra)| *extra).sum::<Decimal>()
}

fn prepare_combination(combination: &Value, price: Decimal) -> Value {
    let choices: Vec<Value> = choices(combination)
        .into_iter()
        .map(|(option, value, _)| json!({ "option": option, "value": value }))
        .collect();
    let number = Some(text(&combination["product_number"])).filter(|number| !number.trim().is_empty());
    json!({
        "id": id(combination).map(|id| id.to_string()),
        "sku": number.unwrap_or_else(|| text(&combination["sku_number"])),
        "ean": text(&combination["ean_number"]),
        "stock": combination["stock"], "active": is_yes(&combination["active"]), "note": combination["note"],
        "price": price_of(combination, price).normalize().to_string(), "choices": choices,
    })
}

/// What buyers choose from: each option with its values, in the order in which they come.
fn options(combinations: &[Value]) -> Value {
    let mut options: Vec<(String, Vec<String>)> = Vec::new();
    for choice in combinations.iter().flat_map(|one| list(&one["choices"])) {
        let (name, value) = (text(&choice["option"]), text(&choice["value"]));
        match options.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => options.push((name, vec![value])),
        }
    }
    options.into_iter().map(|(name, values)| json!({ "name": name, "values": values })).collect()
}

/// A child that was not asked for.
fn is_link(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key("href"))
}
