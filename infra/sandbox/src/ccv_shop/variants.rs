//! Combinations of attribute values: the shop makes the cross product itself, and prices are sums.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Ctx;
use super::render::href;
use crate::state::Store;
use crate::text::{amount, number, text};

/// Ids of the attribute values of a combination.
pub(super) fn values(row: &Value) -> Vec<i64> {
    row["_values"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

/// What a value costs extra on a product.
fn extra(store: &Store, product: i64, value: i64) -> Decimal {
    let rows = store.find("productattributevalues", "product_id", &product.to_string()).unwrap_or_default();
    rows.iter().find(|row| row["optionvalue_id"] == value).map(|row| amount(row, "price")).unwrap_or_default()
}

/// What a combination costs extra.
pub(super) fn extra_price(store: &Store, row: &Value) -> Decimal {
    let product = row["product_id"].as_i64().unwrap_or_default();
    values(row).into_iter().map(|value| extra(store, product, value)).sum()
}

/// Its attributes as an order shows them.
pub(super) fn as_attributes(store: &Store, row: &Value) -> Vec<Value> {
    let product = row["product_id"].as_i64().unwrap_or_default();
    values(row)
        .into_iter()
        .filter_map(|id| {
            let value = store.get("attributevalues", &id.to_string())?;
            let attribute = store.get("attributes", &value["attribute_id"].to_string())?;
            Some(json!({"id": id, "option_name": attribute["name"], "value_name": value["name"],
                "price": number(extra(store, product, id))}))
        })
        .collect()
}

/// A combination with its values and what they cost.
pub(super) fn shown(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let product = row["product_id"].as_i64().unwrap_or_default();
    let part = |id: i64| {
        let value = ctx.store.get("attributevalues", &id.to_string())?;
        let attribute = ctx.store.get("attributes", &value["attribute_id"].to_string())?;
        let one = |resource: &str, row: &Value| {
            let id = row["id"].as_i64().unwrap_or_default();
            json!({"id": id, "name": row["name"], "href": href(&format!("{resource}/{id}"))})
        };
        Some(json!({"attribute": one("attributes", attribute), "attribute_value": one("attributevalues", value),
            "extra_price": number(extra(ctx.store, product, id))}))
    };
    row["combination"] = values(&row).into_iter().filter_map(part).collect();
    row["netto_extra_price"] = number(extra_price(ctx.store, &row));
    row
}

/// Attributes or values of a combination.
pub(super) fn parts<'a>(ctx: &'a Ctx<'_>, id: i64, resource: &str) -> Vec<Cow<'a, Value>> {
    let Some(row) = ctx.store.get("attributecombinations", &id.to_string()) else { return Vec::new() };
    let found = values(row).into_iter().filter_map(|id| {
        let value = ctx.store.get("attributevalues", &id.to_string())?;
        match resource {
            "attributes" => ctx.store.get("attributes", &value["attribute_id"].to_string()),
            _ => Some(value),
        }
    });
    found.map(Cow::Borrowed).collect()
}

/// `GET /products/{id}/productattributesets/`: attribute by attribute, the values a product has.
pub(super) fn sets(ctx: &Ctx<'_>, product: i64) -> Vec<Value> {
    let mut sets: BTreeMap<i64, Value> = BTreeMap::new();
    for row in ctx.below("productattributevalues", "product_id", product) {
        let attribute = row["optionid"].as_i64().unwrap_or_default();
        let kind = ctx.store.get("attributes", &attribute.to_string()).map(|row| row["type"].clone());
        let set = sets.entry(attribute).or_insert_with(|| {
            json!({"id": attribute, "attributename": row["optionname"], "attributeposition": row["optionposition"],
                "type": kind, "items": [], "product_id": product})
        });
        let item = json!({"href": href(&format!("productattributevalues/{}", row["id"])), "id": row["id"],
            "optionsname": row["optionvalue_name"], "price": row["price"], "enable": row["enable"],
            "position": row["position"]});
        if let Some(items) = set["items"].as_array_mut() {
            items.push(item);
        }
    }
    sets.into_values().collect()
}

/// Makes the combinations of a product what its values make of them: those that are still possible stay as they are.
pub(super) fn regenerate(store: &mut Store, product: i64) {
    let mut by_attribute: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let key = product.to_string();
    for row in store.find("productattributevalues", "product_id", &key).unwrap_or_default() {
        let value = row["optionvalue_id"].as_i64().unwrap_or_default();
        by_attribute.entry(row["optionid"].as_i64().unwrap_or_default()).or_default().push(value);
    }
    // Text attributes have no combinations: what the customer types is only on the order.
    by_attribute.retain(|id, _| {
        store.get("attributes", &id.to_string()).is_some_and(|row| !text(row, "type").starts_with("text"))
    });
    let mut wanted: Vec<Vec<i64>> = if by_attribute.is_empty() { Vec::new() } else { vec![Vec::new()] };
    for values in by_attribute.values() {
        let longer = |start: &Vec<i64>, value: &i64| start.iter().chain([value]).copied().collect::<Vec<_>>();
        wanted = wanted.iter().flat_map(|start| values.iter().map(move |value| longer(start, value))).collect();
    }
    let there: Vec<(String, Vec<i64>)> = store
        .find("attributecombinations", "product_id", &key)
        .unwrap_or_default()
        .into_iter()
        .map(|row| (row["id"].to_string(), values(row)))
        .collect();
    for (id, values) in &there {
        if !wanted.contains(values) {
            store.delete("attributecombinations", id);
        }
    }
    for values in wanted {
        if there.iter().any(|(_, known)| *known == values) {
            continue;
        }
        let id = store.next_number("attributecombinations", 101);
        let row = json!({"id": id, "product_id": product, "note": "", "stock": 0,
            "ordering_without_stock": "global_setting", "product_number": "", "ean_number": "", "sku_number": "",
            "delivery_time": 0, "delivery_time_type": "", "delivery_default_text": "", "active": true,
            "_values": values});
        store.put("attributecombinations", &id.to_string(), row);
    }
}
