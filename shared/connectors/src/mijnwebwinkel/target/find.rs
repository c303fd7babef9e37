//! What the shop has of articles and stock, as the rows write it.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::document::Entity;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Existing;
use koppel_core::{Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::MijnWebwinkelTarget;
use super::pictures::Known;
use crate::mijnwebwinkel::categories::Tree;
use crate::mijnwebwinkel::index::{Spot, numbers};
use crate::mijnwebwinkel::native::article::{field, is_published, variants};
use crate::mijnwebwinkel::native::{decimal, group, many, plain, text};
use crate::mijnwebwinkel::source::ShopFacts;

/// Fields that are written as they are read.
pub const PLAIN: [&str; 7] = ["name", "sku", "description", "badge_text", "taxable", "delivery_days", "meta_title"];

impl MijnWebwinkelTarget {
    /// All articles and variants with these numbers. The index says where to look; what is there now is read from the
    /// shop, a hundred articles a call.
    pub(super) async fn find_articles(
        &self,
        entity: Entity,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let spots = self.index.find(&self.client, &self.options, keys, calls).await?;
        let ids: BTreeSet<String> = spots.values().flatten().map(|spot| spot.article.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let mut articles = BTreeMap::new();
        if !ids.is_empty() {
            let rows = self.client.articles_by_id(&ids, calls).await?;
            articles.extend(rows.into_iter().map(|row| (text(&row["id"]), row)));
        }
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        let (mut tree, mut shop) = (None, None);
        if entity == Entity::Products && !articles.is_empty() {
            let needed: Vec<String> = articles
                .values()
                .flat_map(|row| many(&row["categories"]))
                .map(|link| text(&link["category_id"]))
                .collect();
            tree = Some(self.categories.tree(&self.client, &needed, calls).await?);
            shop = Some(self.facts(calls).await?);
        }
        for (key, spots) in &spots {
            for spot in spots {
                // Gone, or renumbered since the index was made.
                let Some(article) = articles.get(&spot.article) else { continue };
                if !numbers(article, &self.options).iter().any(|(sku, at)| sku == key.as_str() && at == spot) {
                    continue;
                }
                let fields = match (&tree, shop) {
                    (Some(tree), Some(shop)) if spot.variant.is_none() => {
                        let known = self.memory.of(&spot.article, article).await?;
                        self.article_fields(article, tree, shop, &known)
                    }
                    // A variant has no fields of its own.
                    (Some(_), _) => Map::new(),
                    _ => stock_fields(article, spot),
                };
                let existing = Existing { id: spot.text(), label: key.to_string(), fields };
                found.entry(key.clone()).or_default().push(existing);
            }
        }
        Ok(found)
    }

    fn article_fields(&self, article: &Value, tree: &Tree, shop: &ShopFacts, known: &[Known]) -> Map<String, Value> {
        let mut fields = Map::new();
        for name in PLAIN.into_iter().chain(["meta_description"]) {
            fields.insert(name.into(), article[name].clone());
        }
        fields.insert("price".into(), article["price"].clone());
        fields.insert("extra".into(), article["extra"].clone());
        let hidden = [&self.options.barcode_field, &self.options.weight_field];
        let features = group(&article["extra"]["visible"]).into_iter().filter(|(name, _)| !hidden.contains(&name));
        fields.insert(
            "_features".into(),
            features.map(|(name, value)| json!({"name": name, "value": text(&value)})).collect(),
        );
        fields.insert("status".into(), json!(if is_published(article) { "active" } else { "inactive" }));
        fields.insert("_price_includes_tax".into(), json!(shop.prices_include_tax));
        fields.insert("_barcode".into(), json!(field(article, &self.options.barcode_field)));
        fields.insert("_weight".into(), json!(field(article, &self.options.weight_field)));
        let paths = many(&article["categories"]).into_iter().filter_map(|link| tree.path(&text(&link["category_id"])));
        fields.insert("_categories".into(), paths.map(|path| json!(path)).collect());
        let lists = many(&article["lists"]).into_iter().map(|list| {
            let options: Vec<String> = many(&list["options"]).iter().map(|option| text(&option["name"])).collect();
            json!({"name": text(&list["name"]), "options": options})
        });
        fields.insert("_lists".into(), lists.collect());
        let made = variants(article).into_iter().map(|variant| {
            let choices: Vec<Value> =
                variant.choices.iter().map(|one| json!({"name": one.list, "option": one.option})).collect();
            json!({"sku": variant.sku(article, &self.options.sku), "choices": choices,
                "price": variant.price(article).map_or(Value::Null, plain)})
        });
        fields.insert("_variations".into(), made.collect());
        fields.insert("_pictures".into(), known.iter().map(Known::shown).collect());
        fields
    }
}

/// Null means that nobody counts.
fn stock_fields(article: &Value, spot: &Spot) -> Map<String, Value> {
    let stock = match &spot.variant {
        None => article["stock"].clone(),
        Some(id) => variants(article).into_iter().find(|one| one.id == *id).map_or(Value::Null, |one| one.stock),
    };
    let counted = decimal(&stock).is_some();
    let mut fields = Map::new();
    fields.insert("manage_stock".into(), json!(counted));
    fields.insert("stock_quantity".into(), if counted { stock } else { Value::Null });
    fields
}
