//! A native product made ready for rows:
//!
//! * `meta`: `meta_data` as a group, on the product and on each variation
//! * `variations`: the variations themselves in place of their ids
//! * `categories[].path`: the names from the root, unescaped
//! * `weight_kg`: the weight in kilograms, on the product and on each variation
//! * `currency` and `prices_include_tax` of the shop

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::{list, meta, text, unescape, utc};
use crate::woocommerce::categories::Tree;
use crate::woocommerce::source::ShopFacts;
use crate::woocommerce::weight::WeightUnit;

/// Statuses of what is not, or no longer, a product.
const NO_PRODUCT: [&str; 2] = ["trash", "auto-draft"];
/// Types that are not an article: a collection of others, and a link to another shop.
const NOT_SOLD: [&str; 2] = ["grouped", "external"];
/// What no row needs, and takes much room in a message.
const DROPPED: [&str; 4] = ["_links", "price_html", "related_ids", "permalink"];
const DROPPED_OF_IMAGES: [&str; 3] = ["srcset", "sizes", "thumbnail"];

/// The product is an article of this shop.
pub fn is_sold(record: &Value) -> bool {
    let is =
        |field: &str, words: &[&str]| record.get(field).and_then(Value::as_str).is_some_and(|w| words.contains(&w));
    !is("status", &NO_PRODUCT) && !is("type", &NOT_SOLD)
}

/// The product has variations.
pub fn is_variable(record: &Value) -> bool {
    record.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("variable"))
}

/// The product that a native record belongs to: itself, or the parent of a variation.
pub fn owner(record: &Value) -> Option<u64> {
    let is_variation = record.get("type").and_then(Value::as_str) == Some("variation");
    super::number(&record[if is_variation { "parent_id" } else { "id" }]).filter(|id| *id > 0)
}

/// Makes a source record of a native product with its variations.
pub fn record(
    mut raw: Value,
    variations: Vec<Value>,
    tree: &Tree,
    shop: &ShopFacts,
    weight: WeightUnit,
) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(text(&raw["id"])) else {
        return Err(Failure::reject(Cause::new("product_without_id", "the shop answered a product without an id")));
    };
    let sku = text(&raw["sku"]).trim().to_owned();
    let modified_at =
        variations.iter().chain(std::iter::once(&raw)).filter_map(|record| utc(&record["date_modified_gmt"])).max();
    prepare(&mut raw, weight);
    let categories = list(&raw["categories"]).into_iter().map(|mut category| {
        let path = super::id(&category).and_then(|id| tree.path(&id));
        let path = path.unwrap_or_else(|| vec![unescape(&text(&category["name"]))]);
        if category.is_object() {
            category["path"] = json!(path);
        }
        category
    });
    raw["categories"] = categories.collect();
    raw["images"] = list(&raw["images"]).into_iter().map(image).collect();
    raw["attributes"] = Value::Array(list(&raw["attributes"]));
    raw["variations"] = variations
        .into_iter()
        .map(|mut variation| {
            prepare(&mut variation, weight);
            variation["attributes"] = Value::Array(list(&variation["attributes"]));
            variation["image"] = image(variation["image"].take());
            variation
        })
        .collect();
    raw["currency"] = json!(shop.currency);
    raw["prices_include_tax"] = json!(shop.prices_include_tax);
    let (label, partition) =
        if sku.is_empty() { (key.to_string(), format!("product:{key}")) } else { (sku.clone(), sku) };
    Ok(SourceRecord { key, label, partition, modified_at, raw })
}

fn prepare(record: &mut Value, weight: WeightUnit) {
    let (meta, kilograms) = (meta(record), weight.to_kilograms(&text(&record["weight"])));
    if let Some(fields) = record.as_object_mut() {
        without(fields, &DROPPED);
        fields.insert("meta".into(), meta);
        fields.insert("weight_kg".into(), json!(kilograms));
    }
}

fn image(mut image: Value) -> Value {
    if let Some(fields) = image.as_object_mut() {
        without(fields, &DROPPED_OF_IMAGES);
    }
    image
}

fn without(fields: &mut Map<String, Value>, names: &[&str]) {
    fields.retain(|name, _| !names.contains(&name.as_str()));
}
