//! Items put together: those of one parent become one product with variations, every other item a product of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use koppel_core::message::SourceRecord;
use koppel_core::ports::Calls;
use koppel_core::{Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::attributes::{Assortments, free_fields};
use super::variants::Variants;
use crate::exact_online::{ExactOnline, odata};
use crate::families::{attributes_of_all, common_name};

/// Before the code of a parent, in the key of a product with variations: it need not be an item itself.
pub(in crate::exact_online) const PARENT: &str = "variants of ";

const FIELDS: &str = "ID,Code,Description,ExtraDescription,Notes,Barcode,SalesVatCode,IsSalesItem,IsStockItem,\
     IsWebshopItem,StartDate,EndDate,StandardSalesPrice,NetWeight,NetWeightUnit,Unit,ItemGroupCode,ItemGroupDescription,\
     PictureName,PictureUrl,Modified";

static SELECT: LazyLock<String> = LazyLock::new(|| {
    let mut fields = FIELDS.to_owned();
    for field in free_fields() {
        fields.push(',');
        fields.push_str(&field);
    }
    fields
});

/// The fields that are read of an item.
pub(in crate::exact_online) fn select() -> String {
    SELECT.clone()
}

/// What is sold under one code.
#[derive(Debug, Default)]
struct Family {
    /// The item that has the code itself.
    own: Option<Value>,
    /// By code.
    variations: BTreeMap<String, Value>,
}

/// Products by code.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    /// Puts items together by their parents.
    pub fn of(variants: &Variants, items: BTreeMap<String, Value>) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for item in items.into_values() {
            let Some(code) = odata::field(&item, "Code") else { continue };
            match variants.parent(&item, &code) {
                Some(parent) => families.entry(parent).or_default().variations.insert(code, item),
                None => families.entry(code).or_default().own.replace(item),
            };
        }
        Self(families)
    }

    /// Leaves out the families that none of these items belongs to.
    pub fn keep_those_with(&mut self, ids: &BTreeSet<String>) {
        let is_wanted = |item: &Value| odata::field(item, "ID").is_some_and(|id| ids.contains(&id.to_lowercase()));
        self.0.retain(|_, family| family.own.iter().chain(family.variations.values()).any(is_wanted));
    }
}

/// The records of these families, with what must be looked up for them.
pub(super) async fn records(
    exact: &ExactOnline,
    families: Families,
    calls: &Calls,
) -> Result<Vec<SourceRecord>, Failure> {
    if families.0.is_empty() {
        return Ok(Vec::new());
    }
    let client = &exact.client;
    let vat = client.list("vat/VATCodes", "Code,Percentage,Type", calls).await?;
    let assortments = if exact.attributes.need_assortments() {
        let select = "ItemAssortmentCode,Code,Description";
        Assortments::of(&client.list("logistics/ItemAssortmentProperty", select, calls).await?)
    } else {
        Assortments::default()
    };
    let around = Around { exact, vat, assortments };
    Ok(families.0.into_iter().filter_map(|(code, family)| around.record(&code, &family)).collect())
}

/// What a record is made with.
struct Around<'a> {
    exact: &'a ExactOnline,
    vat: Vec<Value>,
    assortments: Assortments,
}

impl Around<'_> {
    fn record(&self, code: &str, family: &Family) -> Option<SourceRecord> {
        let base = family.own.as_ref().or_else(|| family.variations.values().next())?;
        let mut raw = self.item(base);
        let key = if family.variations.is_empty() {
            odata::field(base, "ID")?.to_lowercase()
        } else {
            raw.insert("Code".into(), json!(code));
            if family.own.is_none() {
                raw.insert(
                    "Description".into(),
                    json!(common_name(family.variations.values().filter_map(|item| odata::field(item, "Description")))),
                );
                // What belongs to one variation is not the product's.
                raw.insert("Barcode".into(), Value::Null);
            }
            let variations: Vec<Value> =
                family.variations.values().map(|item| Value::Object(self.item(item))).collect();
            raw.insert("attributes".into(), Value::Array(attributes_of_all(&raw["attributes"], &variations)));
            raw.insert("is_active".into(), json!(variations.iter().any(|one| one["is_active"] == true)));
            raw.insert("variations".into(), Value::Array(variations));
            format!("{PARENT}{code}")
        };
        let modified = family.own.iter().chain(family.variations.values());
        let modified = modified.filter_map(|item| odata::local(item, "Modified")).max();
        Some(SourceRecord {
            key: NonEmpty::new(key)?,
            label: code.to_owned(),
            partition: code.to_owned(),
            modified_at: modified.and_then(|local| self.exact.client.utc(local)),
            raw: Value::Object(raw),
        })
    }

    /// An item without padding, with what Exact does not say in its fields.
    fn item(&self, item: &Value) -> Map<String, Value> {
        let mut raw: Map<String, Value> = item
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "__metadata")
            .map(|(name, value)| match value {
                Value::String(text) => (name.clone(), Value::from(text.trim())),
                other => (name.clone(), other.clone()),
            })
            .collect();
        for name in ["StartDate", "EndDate"] {
            raw.insert(name.into(), odata::local(item, name).map_or(Value::Null, |local| json!(local.date())));
        }
        let modified = odata::local(item, "Modified");
        raw.insert("Modified".into(), modified.map_or(Value::Null, |local| json!(local)));
        let vat = self.vat.iter().find(|row| odata::field(row, "Code") == odata::field(item, "SalesVatCode"));
        let percent = vat.and_then(|row| odata::decimal(row, "Percentage"));
        raw.insert("vat_percent".into(), percent.map_or(Value::Null, |part| exact_number(part * Decimal::ONE_HUNDRED)));
        let includes = vat.and_then(|row| odata::field(row, "Type")).is_some_and(|kind| kind == "I");
        raw.insert("price_includes_tax".into(), json!(includes));
        raw.insert("currency".into(), json!(self.exact.currency));
        raw.insert("attributes".into(), Value::Array(self.exact.attributes.values(item, &self.assortments)));
        raw.insert("is_active".into(), json!(self.is_active(item)));
        let group = odata::field(item, "ItemGroupCode").map(|code| {
            let name = odata::field(item, "ItemGroupDescription").unwrap_or_else(|| code.clone());
            json!({ "code": code, "name": name })
        });
        raw.insert("item_groups".into(), Value::Array(group.into_iter().collect()));
        let picture = odata::field(item, "PictureUrl").map(|url| {
            // A new picture changes the item; whether it is another one is told by its content.
            let (name, changed) = (odata::field(item, "PictureName"), odata::field(item, "Modified"));
            json!({ "url": url, "version": format!("{}@{}", name.unwrap_or_default(), changed.unwrap_or_default()) })
        });
        raw.insert("pictures".into(), Value::Array(picture.into_iter().collect()));
        raw
    }

    /// Sold today, by its own dates.
    fn is_active(&self, item: &Value) -> bool {
        let today = self.exact.client.local_now().date();
        let begun = odata::local(item, "StartDate").is_none_or(|from| from.date() <= today);
        let ended = odata::local(item, "EndDate").is_some_and(|until| until.date() < today);
        begun && !ended
    }
}

fn exact_number(number: Decimal) -> Value {
    number.normalize().to_string().parse().map_or(Value::Null, Value::Number)
}
