//! What the shop has of products and stock, as the rows write it.
//!
//! There is no filter for many numbers. A few are asked for one by one; for more the whole catalogue is read, and kept for a
//! moment so that the next chunk of the run does not read it again. What is not in a kept catalogue is looked for in a new one,
//! because it may have been made meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Existing;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::CcvShopTarget;
use super::pictures::Known;
use crate::ccv_shop::categories::Tree;
use crate::ccv_shop::client::CcvShopClient;
use crate::ccv_shop::native::product::{CHILDREN, PAGE, category_ids, choices, collection_ids, combinations, price_of};
use crate::ccv_shop::native::{self, decimal, is_yes, text};
use crate::ccv_shop::shop::ShopFacts;

/// So few numbers are asked for one by one.
const FEW: usize = 3;
/// A catalogue is used for this long: quantities in it change with every order.
const KEPT: TimeDelta = TimeDelta::seconds(60);
/// What stock needs of a product.
const STOCK_CHILDREN: &str = "attributecombinations";
const STOCK_FIELDS: [&str; 6] = ["id", "productnumber", "stockenabled", "stocktype", "stock", "attributecombinations"];

/// The id of a product, or of a combination with its product: `16`, `16/19`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    pub product: u64,
    pub combination: Option<u64>,
}

impl Id {
    /// Reads what [`Id::text`] wrote.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let (product, combination) = match text.split_once('/') {
            Some((product, combination)) => (product, Some(combination.parse().ok())),
            None => (text, None),
        };
        match (product.parse().ok(), combination) {
            (Some(product), None) => Ok(Self { product, combination: None }),
            (Some(product), Some(Some(combination))) => Ok(Self { product, combination: Some(combination) }),
            _ => Err(Failure::reject(Cause::new("bad_id", format!("«{text}» is no id of this shop")))),
        }
    }

    /// As text.
    pub fn text(self) -> String {
        match self.combination {
            Some(combination) => format!("{}/{combination}", self.product),
            None => self.product.to_string(),
        }
    }
}

/// A catalogue as it was read.
#[derive(Debug)]
pub struct Read {
    at: DateTime<Utc>,
    products: Vec<Value>,
    /// Which of them have a number: themselves, or a combination of theirs.
    by_number: BTreeMap<String, BTreeSet<usize>>,
}

impl Read {
    fn of(at: DateTime<Utc>, products: Vec<Value>) -> Self {
        let mut by_number: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (at, product) in products.iter().enumerate() {
            for number in numbers(product) {
                by_number.entry(number).or_default().insert(at);
            }
        }
        Self { at, products, by_number }
    }

    /// The products that have one of these numbers.
    pub fn with(&self, wanted: &BTreeSet<&str>) -> Vec<&Value> {
        let places: BTreeSet<usize> =
            wanted.iter().filter_map(|number| self.by_number.get(*number)).flatten().copied().collect();
        places.into_iter().map(|at| &self.products[at]).collect()
    }
}

/// The catalogues of one shop: for stock, and for everything.
#[derive(Debug, Default)]
pub struct Catalogue {
    stock: Mutex<Option<Arc<Read>>>,
    whole: Mutex<Option<Arc<Read>>>,
}

impl Catalogue {
    /// What was written is not in it.
    pub async fn forget(&self) {
        *self.stock.lock().await = None;
        *self.whole.lock().await = None;
    }

    /// The catalogue, no older than `KEPT`; with all of these numbers, unless the shop does not have them.
    async fn read(
        &self,
        client: &CcvShopClient,
        stock: bool,
        numbers: &BTreeSet<&str>,
        calls: &Calls,
    ) -> Result<Arc<Read>, Failure> {
        let mut kept = if stock { self.stock.lock().await } else { self.whole.lock().await };
        if let Some(read) = kept.as_ref()
            && client.now() - read.at < KEPT
            // Stock is never made: what is not there now was not there a moment ago.
            && (stock || numbers.iter().all(|number| read.by_number.contains_key(*number)))
        {
            return Ok(Arc::clone(read));
        }
        let (children, size) = if stock { (STOCK_CHILDREN, client.page_size()) } else { (CHILDREN, PAGE) };
        let asked = [("orderby", "id".to_owned()), ("expand", children.to_owned())];
        let at = client.now();
        let mut products = client.all("products", &asked, size, calls).await?;
        if stock {
            for product in &mut products {
                if let Some(fields) = product.as_object_mut() {
                    fields.retain(|name, _| STOCK_FIELDS.contains(&name.as_str()));
                }
            }
        }
        let read = Arc::new(Read::of(at, products));
        *kept = Some(Arc::clone(&read));
        Ok(read)
    }
}

/// Numbers of a product, and of what is sold of it.
fn numbers(product: &Value) -> Vec<String> {
    let of_combinations = combinations(product);
    let all = of_combinations.iter().map(|one| &one["product_number"]).chain([&product["productnumber"]]);
    all.map(|number| text(number).trim().to_owned()).filter(|number| !number.is_empty()).collect()
}

/// The product, or something that is sold of it, has this number.
fn has(product: &Value, number: &str) -> bool {
    numbers(product).iter().any(|known| known == number)
}

impl CcvShopTarget {
    /// All records with these article numbers: products, and combinations of products with options.
    pub(super) async fn find_products(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let stock = entity == Entity::Stock;
        let numbers: BTreeSet<&str> = keys.iter().map(NonEmpty::as_str).collect();
        let read = self.products_with(stock, &numbers, calls).await?;
        let products = read.with(&numbers);
        if products.is_empty() {
            return Ok(BTreeMap::new());
        }
        let around = if stock { None } else { Some(self.around(&products, calls).await?) };
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        let mut add = |number: &Value, id: Id, fields: Map<String, Value>| {
            let number = NonEmpty::new(text(number)).filter(|number| numbers.contains(number.as_str()));
            if let Some(number) = number {
                let existing = Existing { id: id.text(), label: number.to_string(), fields };
                found.entry(number).or_default().push(existing);
            }
        };
        for product in products {
            let Some(id) = native::id(product) else { continue };
            let of_combinations = combinations(product);
            // The stock of a product that counts each combination is nobody's.
            let counts = of_combinations.is_empty() || !counts_combinations(product);
            if !stock || counts {
                let fields = match &around {
                    Some(around) => around.product_fields(product),
                    None => stock_fields(product, true, product),
                };
                add(&product["productnumber"], Id { product: id, combination: None }, fields);
            }
            for one in &of_combinations {
                let Some(combination) = native::id(one) else { continue };
                // A combination that only repeats the number of its product is not known by it.
                if text(&one["product_number"]).trim() == text(&product["productnumber"]).trim() {
                    continue;
                }
                let fields = match &around {
                    Some(around) => around.combination_fields(product, one),
                    None => stock_fields(product, counts_combinations(product), one),
                };
                add(&one["product_number"], Id { product: id, combination: Some(combination) }, fields);
            }
        }
        Ok(found)
    }

    /// Products with these numbers, and others beside them.
    pub(super) async fn products_with(
        &self,
        stock: bool,
        numbers: &BTreeSet<&str>,
        calls: &Calls,
    ) -> Result<Arc<Read>, Failure> {
        if numbers.len() <= FEW {
            let few = self.few(stock, numbers, calls).await?;
            return Ok(Arc::new(Read::of(self.client.now(), few)));
        }
        self.catalogue.read(&self.client, stock, numbers, calls).await
    }

    /// Products with these numbers, asked for one by one.
    async fn few(&self, stock: bool, numbers: &BTreeSet<&str>, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let children = if stock { STOCK_CHILDREN } else { CHILDREN };
        let mut found: BTreeMap<u64, Value> = BTreeMap::new();
        for number in numbers {
            let asked = [("productnumber", (*number).to_owned()), ("expand", children.to_owned())];
            // The filter may take the beginning for the whole: what it gives is compared.
            let rows = self.client.all("products", &asked, PAGE, calls).await?;
            let mut rows: Vec<Value> = rows.into_iter().filter(|row| has(row, number)).collect();
            if rows.is_empty() {
                rows = self.by_combination(number, children, calls).await?;
            }
            found.extend(rows.into_iter().filter_map(|row| Some((native::id(&row)?, row))));
        }
        Ok(found.into_values().collect())
    }

    /// Products of which a combination has this number.
    async fn by_combination(&self, number: &str, children: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let rows = self.client.all("productqueries", &[("productnumber", number.to_owned())], PAGE, calls).await?;
        let ids: BTreeSet<u64> =
            rows.iter().filter_map(|row| native::number(&row["product_id"]).or_else(|| native::id(row))).collect();
        let mut found = Vec::new();
        for id in ids {
            let product = self.client.one(&format!("products/{id}"), &[("expand", children.to_owned())], calls).await?;
            found.extend(product.filter(|product| has(product, number)));
        }
        Ok(found)
    }

    async fn around(&self, products: &[&Value], calls: &Calls) -> Result<Around<'_>, Failure> {
        let ids: Vec<u64> = products.iter().filter_map(|product| native::id(product)).collect();
        let categories: BTreeSet<u64> = products.iter().flat_map(|product| category_ids(product)).collect();
        let tree = if categories.is_empty() {
            Arc::default()
        } else {
            self.categories.tree(&self.client, &categories, calls).await?
        };
        Ok(Around {
            tree,
            shop: self.shop.facts(&self.client, calls).await?,
            pictures: self.pictures.known(&ids).await?,
            properties: self.properties_of(products, calls).await?,
        })
    }
}

/// What is known beside the products themselves.
struct Around<'a> {
    tree: Arc<Tree>,
    shop: &'a ShopFacts,
    pictures: BTreeMap<u64, Known>,
    /// Features of each, unless they are left to the shop.
    properties: BTreeMap<u64, Value>,
}

impl Around<'_> {
    fn product_fields(&self, product: &Value) -> Map<String, Value> {
        let mut fields = Map::new();
        for name in ["name", "productnumber", "eannumber", "description", "shortdescription", "taxtariff"] {
            fields.insert(name.into(), json!(text(&product[name])));
        }
        for name in ["price", "weight"] {
            fields.insert(name.into(), json!(decimal(&product[name]).map(|number| number.normalize().to_string())));
        }
        // Fields that a user's own rows write are compared as the shop shows them.
        for (name, value) in product.as_object().into_iter().flatten() {
            if !value.is_object() && !fields.contains_key(name) {
                fields.insert(name.clone(), value.clone());
            }
        }
        fields.insert("active".into(), json!(is_yes(&product["is_active"])));
        let percent = self.shop.percent_of(product);
        fields.insert("_vat_percent".into(), json!(percent.map(|percent| percent.normalize().to_string())));
        fields.insert("_prices_include_vat".into(), json!(self.shop.prices_include_vat));
        let paths = category_ids(product).into_iter().filter_map(|id| self.tree.path(&id));
        fields.insert("_categories".into(), paths.map(|path| json!(path)).collect());
        let shown: Vec<u64> = collection_ids(product, "productphotos");
        let known = native::id(product).and_then(|id| self.pictures.get(&id));
        let known = known.filter(|known| shown.contains(&known.photo)).map(Known::shown);
        fields.insert("_pictures".into(), known.into_iter().collect());
        if let Some(properties) = native::id(product).and_then(|id| self.properties.get(&id)) {
            fields.insert("_properties".into(), properties.clone());
        }
        let price = decimal(&product["price"]).unwrap_or_default();
        let is_shown = |one: &&Value| is_yes(&one["active"]) || !text(&one["product_number"]).trim().is_empty();
        let variations = combinations(product);
        let variations = variations.iter().filter(is_shown).map(|one| variation(one, price));
        fields.insert("_variations".into(), variations.collect());
        fields
    }

    fn combination_fields(&self, product: &Value, combination: &Value) -> Map<String, Value> {
        let price = decimal(&product["price"]).unwrap_or_default();
        let fields = json!({
            "productnumber": text(&combination["product_number"]), "eannumber": text(&combination["ean_number"]),
            "active": is_yes(&combination["active"]), "price": price_of(combination, price).normalize().to_string(),
            "_prices_include_vat": self.shop.prices_include_vat,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

fn variation(combination: &Value, price: Decimal) -> Value {
    let choices: Vec<Value> =
        choices(combination).into_iter().map(|(name, option, _)| json!({ "name": name, "option": option })).collect();
    json!({
        "sku": text(&combination["product_number"]), "ean": text(&combination["ean_number"]),
        "active": is_yes(&combination["active"]), "price": price_of(combination, price).normalize().to_string(),
        "choices": choices,
    })
}

/// The product counts the stock of each combination.
fn counts_combinations(product: &Value) -> bool {
    text(&product["stocktype"]).trim().eq_ignore_ascii_case("attribute")
}

fn stock_fields(product: &Value, counts: bool, holder: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("stockenabled".into(), json!(is_yes(&product["stockenabled"]) && counts));
    fields.insert("stock".into(), json!(decimal(&holder["stock"]).map(|stock| stock.normalize().to_string())));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combination_is_known_with_its_product() {
        let id = Id::parse("16/19").unwrap();
        assert_eq!((id.product, id.combination, id.text().as_str()), (16, Some(19), "16/19"));
        assert_eq!(Id::parse("7").unwrap(), Id { product: 7, combination: None });
        assert!(Id::parse("x").is_err() && Id::parse("7/x").is_err() && Id::parse("").is_err());
    }
}
