//! Books have a record of its own for each variation of a product. Which of them a flow has brought there is remembered by
//! product, so that those that the source no longer has are hidden too: all of a product that is gone, and one that has left
//! the list of its product.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::document::{Document, Entity, Product, ProductKind, Variation};
use koppel_core::error::Failure;
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::MappedRecord;
use koppel_core::ports::{Condition, Key};
use koppel_core::system::SystemKind;
use serde_json::{Map, Value, json};

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::owners;
use crate::runs::{put, read_required};

/// Marks a variation that is only there to be hidden: a target never creates it.
const GONE: &str = "_gone";

/// Article numbers of variations.
pub type Parts = BTreeSet<String>;

fn key(flow: &LoadedFlow, record: &RecordKey) -> Key {
    Key::new(&flow.tenant, &["parts", &flow.name], record.as_str())
}

/// Variations are records of their own in the target of this flow.
fn matters(flow: &LoadedFlow) -> bool {
    flow.flow.entity == Entity::Products && flow.target_facts.kind == SystemKind::Erp
}

/// What a product is made of now.
fn of(record: &MappedRecord) -> Parts {
    let Document::Product(product) = &record.document else { return Parts::new() };
    let numbers = product.variations.iter().map(|variation| variation.sku.trim().to_owned());
    numbers.filter(|number| !number.is_empty()).collect()
}

/// What was brought of each of these records.
pub async fn known(
    engine: &Engine,
    flow: &LoadedFlow,
    records: &[MappedRecord],
) -> Result<BTreeMap<RecordKey, Parts>, Failure> {
    if !matters(flow) {
        return Ok(BTreeMap::new());
    }
    let keys: Vec<Key> = records.iter().map(|record| key(flow, &record.key)).collect();
    let items = engine.store.batch_get(&keys).await?;
    let mut known = BTreeMap::new();
    for (record, item) in records.iter().zip(items) {
        if let Some(item) = item {
            known.insert(record.key.clone(), read_required(&item.value)?);
        }
    }
    Ok(known)
}

/// A record is about to be written. Should that be stopped half-way, what was there and what comes are both known.
pub async fn coming(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<(), Failure> {
    if !matters(flow) || record.gone {
        return Ok(());
    }
    let before = known(engine, flow, std::slice::from_ref(record)).await?.remove(&record.key).unwrap_or_default();
    let both: Parts = before.union(&of(record)).cloned().collect();
    if both != before {
        put(engine, &key(flow, &record.key), &both, Condition::Always, None).await?;
    }
    Ok(())
}

/// The target has a record as it is now, and what had left it is hidden.
pub async fn arrived(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<(), Failure> {
    if !matters(flow) {
        return Ok(());
    }
    let now = if record.gone { Parts::new() } else { of(record) };
    let before = known(engine, flow, std::slice::from_ref(record)).await?.remove(&record.key).unwrap_or_default();
    if now.is_empty() && !before.is_empty() {
        engine.store.delete(&key(flow, &record.key), Condition::Always).await?;
    } else if now != before {
        put(engine, &key(flow, &record.key), &now, Condition::Always, None).await?;
    }
    Ok(())
}

/// What was brought of a record and is not on it any more. A number that another record of the source has by now is its own.
pub async fn left(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    known: Option<&Parts>,
    chunk: &[MappedRecord],
) -> Result<Parts, Failure> {
    let mut left: Parts = known.into_iter().flatten().cloned().collect();
    if !record.gone {
        let now = of(record);
        left.retain(|number| !now.contains(number));
    }
    if left.is_empty() {
        return Ok(left);
    }
    let others = || chunk.iter().filter(|other| other.key != record.key && !other.gone);
    let own = |other: &MappedRecord| other.document.natural_key().map(String::from);
    let in_chunk: Parts = others().flat_map(|other| of(other).into_iter().chain(own(other))).collect();
    left.retain(|number| !in_chunk.contains(number));
    for number in left.clone() {
        let Some(natural_key) = NonEmpty::new(number.clone()) else { continue };
        if !owners::taken(engine, flow, &[(&record.key, natural_key)]).await?.is_empty() {
            left.remove(&number);
        }
    }
    Ok(left)
}

/// A product of nothing but these variations, all to be hidden.
pub fn only(record: &MappedRecord, parts: &Parts) -> MappedRecord {
    let hidden = |number: &String| Variation { sku: number.clone(), published: false, ..Variation::default() };
    let (id, sku) = match &record.document {
        Document::Product(product) => (product.id.clone(), product.sku.clone()),
        _ => (String::new(), String::new()),
    };
    let variations = parts.iter().map(hidden).collect();
    let product = Product { id, sku, kind: ProductKind::Variable, published: false, variations, ..Product::default() };
    MappedRecord { document: Document::Product(Box::new(product)), ..record.clone() }
}

/// Of lists with an entry for each variation: what hides it, and its number. What differs from a variation that is shown
/// hides it.
pub fn hiding(hidden: &mut Map<String, Value>, shown: &Map<String, Value>, parts: &Parts) {
    for (name, value) in hidden.iter_mut() {
        let (Value::Array(list), Some(Value::Array(other))) = (value, shown.get(name)) else { continue };
        for (entry, shown) in list.iter_mut().zip(other) {
            let Some(fields) = entry.as_object_mut() else { continue };
            let is_number = |value: &Value| value.as_str().is_some_and(|text| parts.contains(text.trim()));
            fields.retain(|name, value| is_number(value) || (!value.is_null() && shown.get(name) != Some(value)));
            if fields.values().all(is_number) {
                fields.clear();
            } else {
                fields.insert(GONE.to_owned(), json!(true));
            }
        }
        list.retain(|entry| entry.as_object().is_none_or(|fields| !fields.is_empty()));
    }
    hidden.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
}

/// Adds what hides variations to the fields of their product.
pub fn add(fields: &mut Map<String, Value>, hiding: Map<String, Value>) {
    for (name, value) in hiding {
        if let (Some(Value::Array(list)), Value::Array(more)) = (fields.get_mut(&name), value) {
            list.extend(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hides_a_variation_goes_with_its_number() {
        let fields = |shown: u8| {
            let entry = |code: &str| json!({"Code": code, "Barcode": null, "Description": "", "IsWebshopItem": shown});
            let list = json!({"_variations": [entry("A-1"), entry("A-2")], "Description": ""});
            list.as_object().cloned().unwrap()
        };
        let parts: Parts = ["A-1".to_owned(), "A-2".to_owned()].into();
        let mut hidden = fields(0);
        hidden.retain(|name, value| fields(1).get(name) != Some(value));
        hiding(&mut hidden, &fields(1), &parts);
        let entry = |code: &str| json!({"Code": code, "IsWebshopItem": 0, "_gone": true});
        assert_eq!(json!(hidden), json!({"_variations": [entry("A-1"), entry("A-2")]}));
        let mut product =
            json!({"Description": "Coat", "_variations": [{"Code": "A-3"}]}).as_object().cloned().unwrap();
        add(&mut product, hidden);
        assert_eq!(product["_variations"], json!([{"Code": "A-3"}, entry("A-1"), entry("A-2")]));
        // Left as it is: nothing hides it.
        let mut same = fields(1);
        hiding(&mut same, &fields(1), &parts);
        assert_eq!(same.get("_variations"), None);
    }
}
