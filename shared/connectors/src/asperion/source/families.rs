//! Articles put together: those of one parent become one product with variations, every other a product of its own.

use std::collections::BTreeMap;

use koppel_core::NonEmpty;
use koppel_core::message::SourceRecord;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::articles::Article;
use super::variants::Variants;
use crate::asperion::{Asperion, native};
use crate::families::{attributes_of_all, common_name};

/// Before the code of a parent, in the key of a product with variations: it need not be an article itself.
pub(super) const PARENT: &str = "variants of ";

/// What is sold under one code.
#[derive(Debug, Default)]
struct Family {
    /// The article that has the code itself.
    own: Option<Value>,
    /// By code.
    variations: BTreeMap<String, Value>,
}

/// Products by code.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<String, Family>);

impl Families {
    /// Puts articles together by their parents.
    pub fn of(variants: &Variants, articles: Vec<Article>) -> Self {
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for article in articles.into_iter().map(Value::Object) {
            let Some(code) = native::field(&article, "code") else { continue };
            match variants.parent(&article, &code) {
                Some(parent) => families.entry(parent).or_default().variations.insert(code, article),
                None => families.entry(code).or_default().own.replace(article),
            };
        }
        Self(families)
    }
}

/// What a record is made with.
pub(super) struct Around<'a> {
    asperion: &'a Asperion,
    /// Sales type → VAT code and its percentage.
    vat: BTreeMap<String, (String, Decimal)>,
}

impl<'a> Around<'a> {
    /// With the VAT of sales types: type, code, percentage.
    pub fn new(asperion: &'a Asperion, vat: Vec<(String, String, Decimal)>) -> Self {
        Self {
            asperion,
            vat: vat.into_iter().map(|(sales_type, code, percent)| (sales_type, (code, percent))).collect(),
        }
    }

    fn record(&self, code: &str, family: &Family) -> Option<SourceRecord> {
        let base = family.own.as_ref().or_else(|| family.variations.values().next())?;
        let mut raw = self.article(base);
        let key = if family.variations.is_empty() {
            code.to_owned()
        } else {
            raw.insert("code".into(), json!(code));
            if family.own.is_none() {
                raw.insert(
                    "description".into(),
                    json!(common_name(
                        family.variations.values().filter_map(|article| native::field(article, "description"))
                    )),
                );
            }
            let variations: Vec<Value> =
                family.variations.values().map(|article| Value::Object(self.article(article))).collect();
            raw.insert("attributes".into(), Value::Array(attributes_of_all(&raw["attributes"], &variations)));
            raw.insert("is_active".into(), json!(variations.iter().any(|one| one["is_active"] == true)));
            raw.insert("variations".into(), Value::Array(variations));
            format!("{PARENT}{code}")
        };
        Some(SourceRecord {
            key: NonEmpty::new(key)?,
            label: code.to_owned(),
            partition: code.to_owned(),
            modified_at: None,
            raw: Value::Object(raw),
        })
    }

    /// An article with what its fields do not say. Stock is another flow's: it must not make a product look changed.
    fn article(&self, article: &Value) -> Map<String, Value> {
        let mut raw = article.as_object().cloned().unwrap_or_default();
        raw.remove("currentStock");
        let vat = native::field(article, "salesTypeId").and_then(|sales_type| self.vat.get(&sales_type));
        raw.insert("vat_code".into(), vat.map_or(Value::Null, |(code, _)| json!(code)));
        raw.insert("vat_percent".into(), vat.map_or(Value::Null, |(_, percent)| native::number(percent.normalize())));
        let settings = &self.asperion.settings;
        raw.insert("price_includes_tax".into(), json!(settings.prices_include_vat));
        raw.insert("currency".into(), json!(settings.currency));
        raw.insert("attributes".into(), Value::Array(self.asperion.attributes.values(article)));
        raw.insert("is_virtual".into(), json!(self.asperion.attributes.is_virtual(article)));
        raw.insert("is_active".into(), json!(self.is_active(article)));
        raw
    }

    /// Without another state asked for, only active articles come.
    fn is_active(&self, article: &Value) -> bool {
        let profile = &self.asperion.profile;
        let state = native::field(article, "activeState");
        profile.name("articles.all_states").is_empty() || state.as_deref() == Some(profile.name("articles.active"))
    }
}

/// The records of these families.
pub(super) fn records(around: &Around<'_>, families: Families) -> Vec<SourceRecord> {
    families.0.iter().filter_map(|(code, family)| around.record(code, family)).collect()
}
