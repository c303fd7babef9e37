//! Items put together: those of one parent become one product with variations, every other item a product of its own.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::message::SourceRecord;
use koppel_core::ports::Calls;
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::pictures;
use crate::families::common_name;
use crate::visma_net::client::List;
use crate::visma_net::{Home, VismaNet, lookups, wire};

/// Before the number of a parent, in the key of a product with variations: it need not be an item itself.
pub(super) const PARENT: &str = "variants of ";
/// Kinds of items that nothing is sent of.
const SERVICES: [&str; 4] = ["ServiceItem", "LaborItem", "ChargeItem", "ExpenseItem"];

/// What is sold under one number.
#[derive(Debug, Default)]
struct Family {
    /// The item that has the number itself.
    own: Option<Value>,
    /// By number.
    variations: BTreeMap<String, Value>,
}

/// Products by number.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    /// Puts items together by their parents.
    pub fn of(visma: &VismaNet, items: BTreeMap<String, Value>) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for (code, item) in items {
            match visma.variants.parent(&item, &code) {
                Some(parent) => families.entry(parent).or_default().variations.insert(code, item),
                None => families.entry(code).or_default().own.replace(item),
            };
        }
        Self(families)
    }

    /// Leaves out the families that none of these items belongs to.
    pub fn keep_those_with(&mut self, codes: &BTreeSet<String>) {
        self.0.retain(|code, family| {
            (family.own.is_some() && codes.contains(code)) || family.variations.keys().any(|code| codes.contains(code))
        });
    }
}

/// The records of these families.
pub(super) async fn records(visma: &VismaNet, families: Families, calls: &Calls) -> Result<Vec<SourceRecord>, Failure> {
    if families.0.is_empty() {
        return Ok(Vec::new());
    }
    let categories = visma.client.whole(&List::of("v1/vatCategory", "vatCategory"), calls).await?;
    // Which VAT is for which zone is only told by the other list.
    let vats = visma.client.whole(&List::of("v1/vat", "vat"), calls).await?;
    let home = visma.home(calls).await?.clone();
    let around = Around { visma, categories, vats, home };
    Ok(families.0.into_iter().filter_map(|(code, family)| around.record(&code, &family)).collect())
}

/// What a record is made with.
struct Around<'a> {
    visma: &'a VismaNet,
    categories: Vec<Value>,
    vats: Vec<Value>,
    home: Home,
}

impl Around<'_> {
    fn record(&self, code: &str, family: &Family) -> Option<SourceRecord> {
        let base = family.own.as_ref().or_else(|| family.variations.values().next())?;
        let mut raw = self.item(base, false);
        let key = if family.variations.is_empty() {
            code.to_owned()
        } else {
            raw.insert("inventoryNumber".into(), json!(code));
            if family.own.is_none() {
                raw.insert(
                    "description".into(),
                    json!(common_name(family.variations.values().filter_map(|item| wire::field(item, "description")))),
                );
                // What belongs to one variation is not the product's.
                raw.insert("ean".into(), Value::Null);
            }
            let variations: Vec<Value> =
                family.variations.values().map(|item| Value::Object(self.item(item, true))).collect();
            raw.insert("attributes".into(), Value::Array(attributes_of_all(&raw["attributes"], &variations)));
            raw.insert("is_sold".into(), json!(variations.iter().any(|one| one["is_sold"] == true)));
            raw.insert("variations".into(), Value::Array(variations));
            format!("{PARENT}{code}")
        };
        let all = family.own.iter().chain(family.variations.values());
        Some(SourceRecord {
            key: NonEmpty::new(key)?,
            label: code.to_owned(),
            partition: code.to_owned(),
            modified_at: all.filter_map(|item| wire::time(item, "lastModifiedDateTime")).max(),
            raw: Value::Object(raw),
        })
    }

    /// An item with what its fields do not say.
    fn item(&self, item: &Value, is_variation: bool) -> Map<String, Value> {
        let mut raw = item.as_object().cloned().unwrap_or_default();
        for name in ["metadata", "errorInfo", "attachments", "crossReferences", "warehouseDetails", "supplierDetails"] {
            raw.remove(name);
        }
        let vat = wire::key_of(item, "vatCode", "id");
        raw.insert("vat_percent".into(), self.percent(vat.as_deref()).map_or(Value::Null, wire::number));
        raw.insert("vat_category".into(), json!(vat));
        raw.insert("price_includes_tax".into(), json!(self.visma.prices.include_tax));
        raw.insert("currency".into(), json!(self.home.currency));
        raw.insert("attributes".into(), Value::Array(self.visma.variants.attributes(item, is_variation)));
        raw.insert("ean".into(), json!(ean(item)));
        raw.insert("pictures".into(), Value::Array(pictures::of_item(&self.visma.client, item)));
        let status = wire::field(item, "status");
        let is_sold = status.is_none_or(|status| ["Active", "NoPurchases", "NoRequest"].contains(&status.as_str()));
        raw.insert("is_sold".into(), json!(is_sold));
        let kind = wire::field(item, "type");
        let is_service = kind.is_some_and(|kind| SERVICES.contains(&kind.as_str()));
        raw.insert("is_service".into(), json!(is_service));
        let class = wire::key_of(item, "itemClass", "id").map(|id| {
            let name = wire::field(item, "itemClass.description").unwrap_or_else(|| id.clone());
            json!({ "code": id, "name": name })
        });
        raw.insert("item_classes".into(), Value::Array(class.into_iter().collect()));
        raw.insert("weight_kg".into(), weight_kg(item).map_or(Value::Null, wire::number));
        raw
    }

    /// The rate of a VAT category at home. Where no zone says what is home, sales abroad have zero beside it; with several
    /// other rates it depends on the customer.
    fn percent(&self, code: Option<&str>) -> Option<Decimal> {
        let today = self.visma.client.now().date_naive();
        let row = self.categories.iter().find(|row| wire::field(row, "vatCategoryId").as_deref() == code)?;
        let lines = row.get("vatCategoryLines").and_then(Value::as_array)?;
        let at_home = |line: &&Value| {
            let vat = self.vats.iter().find(|vat| wire::field(vat, "vatId") == wire::field(line, "vatId"));
            let zones = vat.map(lookups::zones_of).unwrap_or_default();
            self.home.vat_zone.as_ref().is_some_and(|home| zones.contains(home))
        };
        let of = |lines: Vec<&Value>| -> BTreeSet<Decimal> {
            lines.into_iter().filter_map(|line| lookups::rate_on(line, today)).collect()
        };
        let home = of(lines.iter().filter(at_home).collect());
        if home.len() == 1 {
            return home.into_iter().next();
        }
        let rates = of(lines.iter().collect());
        let mut charged = rates.iter().filter(|rate| !rate.is_zero());
        match (charged.next(), charged.next()) {
            (Some(rate), None) => Some(*rate),
            (None, _) => rates.first().copied(),
            _ => None,
        }
    }
}

/// The EAN of an item: a bar code, else a reference that holds for everybody and looks like one.
fn ean(item: &Value) -> Option<String> {
    let all: Vec<(String, String)> = item
        .get("crossReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| Some((wire::field(one, "alternateType")?, wire::field(one, "alternateID")?)))
        .collect();
    let is_gtin = |text: &str| matches!(text.len(), 8 | 12 | 13 | 14) && text.bytes().all(|byte| byte.is_ascii_digit());
    let of =
        |kind: &str| all.iter().find(|(of, id)| of.eq_ignore_ascii_case(kind) && is_gtin(id)).map(|(_, id)| id.clone());
    of("Barcode").or_else(|| of("Global"))
}

/// The weight in kilograms, from the units that have one meaning.
fn weight_kg(item: &Value) -> Option<Decimal> {
    let weight = wire::decimal(item, "packaging.baseItemWeight").filter(|weight| !weight.is_zero())?;
    match wire::field(item, "packaging.weightUOM")?.to_lowercase().as_str() {
        "kg" | "kilo" | "kilogram" => Some(weight),
        "g" | "gr" | "gram" => Some(weight / Decimal::ONE_THOUSAND),
        _ => None,
    }
}

/// The attributes of a product with variations: every choice with all its values, and what the product itself has.
fn attributes_of_all(own: &Value, variations: &[Value]) -> Vec<Value> {
    let choices: Vec<&Value> = variations
        .iter()
        .flat_map(|item| item["attributes"].as_array().into_iter().flatten())
        .filter(|one| one["varies"] == true)
        .collect();
    let is_choice = |one: &Value| choices.iter().any(|choice| choice["id"] == one["id"]);
    let mut all: Vec<Value> = own.as_array().into_iter().flatten().filter(|one| !is_choice(one)).cloned().collect();
    for choice in &choices {
        let known = all.iter_mut().find(|one| one["id"] == choice["id"]);
        let Some(values) = known.and_then(|one| one["values"].as_array_mut()) else {
            all.push((*choice).clone());
            continue;
        };
        for value in choice["values"].as_array().into_iter().flatten() {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ean_is_a_bar_code_of_the_right_length() {
        let item = |kind: &str, id: &str| {
            json!({"crossReferences": [
            {"alternateType": "VPN", "alternateID": "8712345678906"}, {"alternateType": kind, "alternateID": id}]})
        };
        assert_eq!(ean(&item("Barcode", "8712345678906")).as_deref(), Some("8712345678906"));
        assert_eq!(ean(&item("Global", "87123456")).as_deref(), Some("87123456"));
        assert_eq!(ean(&item("Global", "OLD-7")), None);
        assert_eq!(ean(&item("CPN", "8712345678906")), None);
    }

    #[test]
    fn weights_are_kilograms_or_nothing() {
        let item = |unit: &str| json!({"packaging": {"baseItemWeight": 250, "weightUOM": unit}});
        assert_eq!(weight_kg(&item("G")).unwrap().to_string(), "0.25");
        assert_eq!(weight_kg(&item("KG")).unwrap(), Decimal::from(250));
        assert_eq!(weight_kg(&item("LB")), None);
    }

    #[test]
    fn choices_are_put_together_and_leave_the_features_alone() {
        let choice =
            |value: &str| json!({"attributes": [{"id": "C", "name": "Colour", "values": [value], "varies": true}]});
        let own =
            json!([{"id": "C", "name": "Colour", "values": ["Red"], "varies": false}, {"id": "M", "values": ["Wool"]}]);
        let all = attributes_of_all(&own, &[choice("Red"), choice("Blue"), choice("Red")]);
        assert_eq!(all.len(), 2);
        assert_eq!((&all[1]["values"], &all[1]["varies"]), (&json!(["Red", "Blue"]), &json!(true)));
    }
}
