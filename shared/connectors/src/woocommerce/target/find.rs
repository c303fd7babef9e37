//! What the shop has of products and stock, as the rows write it.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::document::Entity;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Existing;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::WooCommerceTarget;
use super::pictures::remembered;
use super::variations::is_gone;
use crate::http::request::encode;
use crate::woocommerce::categories::Tree;
use crate::woocommerce::native::{self, text, unescape};
use crate::woocommerce::weight::WeightUnit;

/// Article numbers asked for in one call.
const MOST_KEYS: usize = 100;
/// Most bytes of them in an address: web servers refuse addresses of 8 KiB.
const MOST_BYTES: usize = 4_000;

const STOCK_FIELDS: &str = "id,type,parent_id,sku,manage_stock,stock_quantity";
const PRODUCT_FIELDS: &str = "id,type,parent_id,sku,name,status,virtual,catalog_visibility,description,short_description,\
    regular_price,global_unique_id,weight,tax_class,categories,attributes,images,image,meta_data";
pub(super) const VARIATION_FIELDS: &str =
    "id,sku,regular_price,global_unique_id,weight,status,attributes,image,meta_data";

/// The id of a product, or of a variation with its product: `16`, `16/19`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    pub parent: Option<u64>,
    pub record: u64,
}

impl Id {
    /// Reads what [`Id::text`] wrote.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let (parent, record) = match text.split_once('/') {
            Some((parent, record)) => (Some(parent), record),
            None => (None, text),
        };
        let number = |text: &str| text.parse::<u64>().ok();
        match (parent.map(number), number(record)) {
            (None, Some(record)) => Ok(Self { parent: None, record }),
            (Some(Some(parent)), Some(record)) => Ok(Self { parent: Some(parent), record }),
            _ => Err(Failure::reject(Cause::new("bad_id", format!("«{text}» is no id of this shop")))),
        }
    }

    /// The id of a native record.
    pub fn of(record: &Value) -> Option<Self> {
        let is_variation = text(&record["type"]) == "variation";
        let parent = native::number(&record["parent_id"]).filter(|id| is_variation && *id > 0);
        Some(Self { parent, record: native::id(record)? })
    }

    /// As text.
    pub fn text(self) -> String {
        match self.parent {
            Some(parent) => format!("{parent}/{}", self.record),
            None => self.record.to_string(),
        }
    }

    /// Where many such records are changed at once.
    pub fn batch_path(self) -> String {
        match self.parent {
            Some(parent) => format!("products/{parent}/variations/batch"),
            None => "products/batch".into(),
        }
    }
}

impl WooCommerceTarget {
    /// All records with these article numbers, products and variations.
    pub(super) async fn find_products(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let stock = entity == Entity::Stock;
        let fields = if stock { STOCK_FIELDS } else { PRODUCT_FIELDS };
        let wanted: BTreeSet<&NonEmpty> = keys.iter().collect();
        let rows = self.rows_of(&wanted, fields, calls).await?;
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        let tree = if stock || rows.is_empty() { None } else { Some(self.tree_for(&rows, calls).await?) };
        for (sku, row) in rows.into_values() {
            let Some(id) = Id::of(&row) else { continue };
            let mut fields = match &tree {
                None => stock_fields(&row),
                Some(tree) => product_fields(&row, tree, self.weight),
            };
            if tree.is_some() && native::product::is_variable(&row) {
                let list = self.variations_of(id.record, calls).await?;
                let list = list.iter().filter(|row| !is_gone(row)).map(|row| variation_fields(row, self.weight));
                fields.insert("_variations".into(), list.collect());
            }
            let existing = Existing { id: id.text(), label: sku.to_string(), fields };
            found.entry(sku).or_default().push(existing);
        }
        Ok(found)
    }

    /// Products and variations with these article numbers, by their id.
    pub(super) async fn rows_of(
        &self,
        wanted: &BTreeSet<&NonEmpty>,
        fields: &str,
        calls: &Calls,
    ) -> Result<BTreeMap<u64, (NonEmpty, Value)>, Failure> {
        let mut rows: BTreeMap<u64, (NonEmpty, Value)> = BTreeMap::new();
        for skus in groups(wanted) {
            // Texts as they were typed, without the paragraphs and short codes that a visitor sees.
            let query = [("sku", skus.as_str()), ("context", "edit"), ("_fields", fields)];
            for row in self.client.all("products", &query, calls).await? {
                // The shop compares without case.
                let sku = NonEmpty::new(unescape(&text(&row["sku"]))).filter(|sku| wanted.contains(sku));
                if let (Some(sku), Some(id)) = (sku, native::id(&row)) {
                    rows.insert(id, (sku, row));
                }
            }
        }
        Ok(rows)
    }

    /// All variations of a product.
    pub(super) async fn variations_of(&self, product: u64, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let query = [("context", "edit"), ("_fields", VARIATION_FIELDS)];
        self.client.all(&format!("products/{product}/variations"), &query, calls).await
    }

    async fn tree_for(
        &self,
        rows: &BTreeMap<u64, (NonEmpty, Value)>,
        calls: &Calls,
    ) -> Result<std::sync::Arc<Tree>, Failure> {
        let categories = rows.values().flat_map(|(_, row)| native::list(&row["categories"]));
        let needed: BTreeSet<u64> = categories.filter_map(|category| native::id(&category)).collect();
        self.categories.tree(&self.client, &needed, calls).await
    }
}

/// Article numbers as the filter takes them: many with commas between, and alone where one holds a comma itself.
fn groups(keys: &BTreeSet<&NonEmpty>) -> Vec<String> {
    let mut groups = Vec::new();
    let (mut open, mut count, mut bytes) = (String::new(), 0, 0);
    for key in keys.iter().map(|key| key.as_str()) {
        if key.contains(',') {
            groups.push(key.to_owned());
            continue;
        }
        let length = encode(key).len() + 3;
        if count == MOST_KEYS || (count > 0 && bytes + length > MOST_BYTES) {
            groups.push(std::mem::take(&mut open));
            (count, bytes) = (0, 0);
        }
        if count > 0 {
            open.push(',');
        }
        open.push_str(key);
        (count, bytes) = (count + 1, bytes + length);
    }
    if count > 0 {
        groups.push(open);
    }
    groups
}

fn stock_fields(row: &Value) -> Map<String, Value> {
    ["manage_stock", "stock_quantity"].into_iter().map(|name| (name.to_owned(), row[name].clone())).collect()
}

fn product_fields(row: &Value, tree: &Tree, weight: WeightUnit) -> Map<String, Value> {
    let mut fields = shared_fields(row, weight);
    for name in ["type", "virtual", "catalog_visibility"] {
        fields.insert(name.into(), row[name].clone());
    }
    for name in ["name", "description", "short_description"] {
        fields.insert(name.into(), json!(text(&row[name])));
    }
    // Names are stored escaped, texts with markup are not.
    fields.insert("name".into(), json!(unescape(&text(&row["name"]))));
    let class = text(&row["tax_class"]);
    fields.insert("tax_class".into(), json!(if class.is_empty() { "standard".into() } else { class }));
    let paths = native::list(&row["categories"]).into_iter();
    let paths = paths.filter_map(|category| native::id(&category).and_then(|id| tree.path(&id)));
    fields.insert("_categories".into(), paths.map(|path| json!(path)).collect());
    let attributes = native::list(&row["attributes"]).into_iter().map(|attribute| {
        let options: Vec<String> = native::list(&attribute["options"]).iter().map(|o| unescape(&text(o))).collect();
        json!({
            "name": unescape(&text(&attribute["name"])), "options": options,
            "variation": attribute["variation"], "visible": attribute["visible"],
        })
    });
    fields.insert("_attributes".into(), attributes.collect());
    fields.insert("_pictures".into(), remembered(row).iter().map(|picture| picture.shown()).collect());
    fields
}

fn variation_fields(row: &Value, weight: WeightUnit) -> Value {
    let mut fields = shared_fields(row, weight);
    let choices = native::list(&row["attributes"]).into_iter().map(
        |choice| json!({ "name": unescape(&text(&choice["name"])), "option": unescape(&text(&choice["option"])) }),
    );
    fields.insert("attributes".into(), choices.collect());
    let picture = remembered(row).first().map_or(Value::Null, |picture| picture.shown());
    fields.insert("_picture".into(), picture);
    Value::Object(fields)
}

fn shared_fields(row: &Value, weight: WeightUnit) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in ["regular_price", "global_unique_id", "status"] {
        fields.insert(name.into(), json!(text(&row[name])));
    }
    fields.insert("sku".into(), json!(unescape(&text(&row["sku"]))));
    fields.insert("weight".into(), json!(weight.to_kilograms(&text(&row["weight"]))));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_comma_are_asked_alone_and_addresses_stay_short() {
        let keys: Vec<NonEmpty> = ["A", "B,C", "D"].iter().filter_map(NonEmpty::new).collect();
        assert_eq!(groups(&keys.iter().collect()), ["B,C", "A,D"]);
        let many: Vec<NonEmpty> = (0..250).filter_map(|n| NonEmpty::new(format!("SKU-{n}"))).collect();
        let asked = groups(&many.iter().collect());
        assert_eq!(asked.iter().map(|group| group.split(',').count()).collect::<Vec<_>>(), [100, 100, 50]);
        let long: Vec<NonEmpty> = (0..100).filter_map(|n| NonEmpty::new(format!("{n}{}", "é".repeat(40)))).collect();
        assert!(groups(&long.iter().collect()).iter().all(|group| encode(group).len() <= MOST_BYTES));
    }

    #[test]
    fn a_variation_is_known_with_its_product() {
        let id = Id::of(&json!({ "id": 19, "type": "variation", "parent_id": 16 })).unwrap();
        assert_eq!((id.text().as_str(), id.batch_path().as_str()), ("16/19", "products/16/variations/batch"));
        assert_eq!(Id::parse("16/19").unwrap(), id);
        assert_eq!(Id::parse("7").unwrap(), Id { parent: None, record: 7 });
        assert!(Id::parse("x/7").is_err() && Id::parse("").is_err());
    }
}
