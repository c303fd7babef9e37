//! Features of an article as properties of a product: which value each becomes, and what has to be made for it.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::ports::Calls;
use koppel_core::ports::target::Existing;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::CcvShopTarget;
use crate::ccv_shop::client::unexpected;
use crate::ccv_shop::judge::NOT_UNIQUE;
use crate::ccv_shop::native::{self, decimal, list, number, text};
use crate::ccv_shop::properties::{Choices, Kind, Mode, Own, Property, is_name};

/// Words for yes and no, in the languages of the systems.
const YES: [&str; 7] = ["1", "true", "yes", "ja", "oui", "sì", "si"];
const NO: [&str; 6] = ["0", "false", "no", "nee", "nein", "non"];
/// Something is made once; after that it has to be there.
const TRIES: usize = 3;

/// A feature of an article: its name and what it is.
type Feature = (String, Vec<String>);

/// What becomes of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Becomes {
    /// This value of this property.
    Value(Property, String),
    /// The shop does not have its property.
    NoProperty,
    /// Its property does not have these options.
    NoOptions(Property, Vec<String>),
}

impl CcvShopTarget {
    /// What the shop has of the wanted properties, in the words of the rows: the wanted ones themselves when nothing is to be
    /// done.
    pub(super) async fn settle_properties(
        &self,
        wanted: &Map<String, Value>,
        existing: &mut Existing,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let Some(wanted) = wanted.get("_properties").filter(|wanted| !wanted.is_null()) else { return Ok(()) };
        // A combination has none, and neither has a shop that they are left to.
        let of_product = existing.fields.get("_properties").filter(|_| self.properties.mode != Mode::Leave).map(list);
        if let Some(theirs) = of_product
            && !self.is_settled(&features(wanted), &theirs, calls).await?
        {
            return Ok(());
        }
        existing.fields.insert("_properties".into(), wanted.clone());
        Ok(())
    }

    /// Features of each of these products, as the rows write them, with what the shop has of them.
    pub(super) async fn properties_of(
        &self,
        products: &[&Value],
        calls: &Calls,
    ) -> Result<BTreeMap<u64, Value>, Failure> {
        let mut all = BTreeMap::new();
        if self.properties.mode == Mode::Leave {
            return Ok(all);
        }
        for product in products {
            let Some(id) = native::id(product) else { continue };
            let own = self.properties.own(&self.client, product, calls).await?;
            let named = self.properties.named(&self.client, &own, calls).await?;
            let native = |property: &Property| {
                let one = own.values.iter().find(|one| one.property == property.id);
                one.map(|one| one.value.clone()).unwrap_or_default()
            };
            let feature = |(property, value): &(Property, String)| json!({ "name": property.name, "values": [value], "property": property.id, "native": native(property) });
            all.insert(id, named.iter().map(feature).collect());
        }
        Ok(all)
    }

    async fn is_settled(&self, wanted: &[Feature], theirs: &[Value], calls: &Calls) -> Result<bool, Failure> {
        let has: BTreeSet<u64> = theirs.iter().filter_map(|one| number(&one["property"])).collect();
        let mut used = BTreeSet::new();
        for feature in wanted {
            match self.becomes(feature, &has, calls).await {
                Ok(Becomes::Value(property, value)) => {
                    let own = theirs.iter().find(|one| number(&one["property"]) == Some(property.id));
                    if !own.is_some_and(|own| property.kind.is_same(&text(&own["native"]), &value)) {
                        return Ok(false);
                    }
                    used.insert(property.id);
                }
                Ok(_) if self.properties.mode == Mode::Existing => {}
                // Refused, with its cause, by whoever writes it.
                Ok(_) | Err(Failure::Reject(_)) => return Ok(false),
                Err(failure) => return Err(failure),
            }
        }
        Ok(!self.properties.remove_others || has.is_subset(&used))
    }

    /// Refuses what no property can hold, before anything is written.
    pub(super) async fn check_properties(&self, wanted: Option<&Value>, calls: &Calls) -> Result<(), Failure> {
        if self.properties.mode != Mode::Leave {
            for feature in wanted.map(features).unwrap_or_default() {
                self.becomes(&feature, &BTreeSet::new(), calls).await?;
            }
        }
        Ok(())
    }

    /// Gives a product the values that are wanted.
    pub(super) async fn send_properties(
        &self,
        product: u64,
        is_new: bool,
        wanted: &Value,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let wanted = features(wanted);
        if self.properties.mode == Mode::Leave || (is_new && wanted.is_empty()) {
            return Ok(());
        }
        let mut own =
            if is_new { Own::default() } else { self.properties.of_product(&self.client, product, calls).await? };
        let has = own.has();
        let mut used = BTreeSet::new();
        for feature in &wanted {
            let Some((property, value)) = self.made(feature, &has, calls).await? else { continue };
            used.insert(property.id);
            if own.groups.insert(property.group) {
                let body = json!({ "product_id": product, "product_property_group_id": property.group });
                self.create_once("producttopropertygroups", body, calls).await?;
            }
            match own.values.iter().find(|one| one.property == property.id) {
                Some(one) if property.kind.is_same(&one.value, &value) => {}
                Some(one) => {
                    let path = format!("productpropertyvalues/{}", one.id);
                    self.client.change(&path, json!({ "value": value }), calls).await?;
                }
                None => {
                    let body = json!({ "product_id": product, "product_property_id": property.id, "value": value });
                    self.client.create("productpropertyvalues", body, calls).await?;
                }
            }
        }
        for one in own.values.iter().filter(|one| self.properties.remove_others && !used.contains(&one.property)) {
            self.client.remove(&format!("productpropertyvalues/{}", one.id), calls).await?;
        }
        Ok(())
    }

    /// The value that a feature becomes; what is missing for it is made, or it is left out.
    async fn made(
        &self,
        feature: &Feature,
        has: &BTreeSet<u64>,
        calls: &Calls,
    ) -> Result<Option<(Property, String)>, Failure> {
        for _ in 0..TRIES {
            let becomes = self.becomes(feature, has, calls).await?;
            match becomes {
                Becomes::Value(property, value) => return Ok(Some((property, value))),
                _ if self.properties.mode == Mode::Existing => {
                    tracing::warn!(property = %feature.0, "the shop has no such property, or not this option of it: it is left out");
                    return Ok(None);
                }
                Becomes::NoProperty => self.make_property(&feature.0, calls).await?,
                Becomes::NoOptions(property, names) => {
                    for name in names {
                        let path = format!("productproperties/{}/productpropertyoptions", property.id);
                        self.create_once(&path, json!({ "name": name }), calls).await?;
                    }
                }
            }
            self.properties.forget().await;
        }
        Err(unexpected("the property that was made"))
    }

    async fn make_property(&self, name: &str, calls: &Calls) -> Result<(), Failure> {
        let none = BTreeSet::new();
        let settings = &self.properties;
        let mut group = settings.lists(&self.client, &none, calls).await?.group(&settings.group);
        if group.is_none() {
            self.create_once("productpropertygroups", json!({ "name": settings.group }), calls).await?;
            // The answer may be empty, so the new id is looked up where everybody sees it.
            settings.forget().await;
            group = settings.lists(&self.client, &none, calls).await?.group(&settings.group);
        }
        let group = group.ok_or_else(|| unexpected("the group of properties that was made"))?;
        let path = format!("productpropertygroups/{group}/productproperties");
        self.create_once(&path, json!({ "name": name, "type": settings.kind }), calls).await
    }

    /// Makes what somebody else may have made at this moment.
    async fn create_once(&self, path: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        match self.client.create(path, body, calls).await {
            Err(Failure::Reject(cause)) if cause.code == NOT_UNIQUE => Ok(()),
            result => result.map(drop),
        }
    }

    async fn becomes(&self, feature: &Feature, has: &BTreeSet<u64>, calls: &Calls) -> Result<Becomes, Failure> {
        let (name, values) = feature;
        let lists = self.properties.lists(&self.client, &BTreeSet::new(), calls).await?;
        let Some(property) = lists.by_name(name, has, &self.properties.group) else { return Ok(Becomes::NoProperty) };
        let choices = match property.kind {
            Kind::Option | Kind::Options => self.properties.choices(&self.client, property.id, calls).await?,
            _ => Choices::new(),
        };
        let several = property.kind == Kind::Text || (property.kind == Kind::Options && self.properties.several);
        if values.len() > 1 && !several {
            let message = format!("the property «{name}» takes one value, and the article has {}", values.join(", "));
            return Err(refused(message, "make it a property of type Text in the shop, or map one value"));
        }
        let one = values.first().map(String::as_str).unwrap_or_default();
        let value = match property.kind {
            Kind::Text => values.join(", "),
            Kind::Price => decimal(&json!(one))
                .filter(|price| !price.is_sign_negative())
                .map(|price| price.normalize().to_string())
                .ok_or_else(|| {
                    refused(
                        format!("«{one}» is no amount, as the property «{name}» of the shop is"),
                        "map an amount, or give the property another type",
                    )
                })?,
            Kind::Checkbox => yes_or_no(one).ok_or_else(|| {
                refused(
                    format!("«{one}» is neither yes nor no, as the property «{name}» of the shop is"),
                    "map 1 or 0, or give the property another type",
                )
            })?,
            Kind::Option | Kind::Options => {
                let find = |value: &String| choices.iter().find(|(_, name)| is_name(name, value));
                let missing: Vec<String> = values.iter().filter(|value| find(value).is_none()).cloned().collect();
                if !missing.is_empty() {
                    return Ok(Becomes::NoOptions(property.clone(), missing));
                }
                let word =
                    |(id, name): &(u64, String)| if self.properties.by_id { id.to_string() } else { name.clone() };
                values.iter().filter_map(find).map(word).collect::<Vec<_>>().join(",")
            }
        };
        Ok(Becomes::Value(property.clone(), value))
    }
}

fn refused(message: String, advice: &str) -> Failure {
    Failure::reject(Cause::new("value_of_property", message).advice(advice).in_row("target._properties"))
}

fn yes_or_no(word: &str) -> Option<String> {
    let word = word.trim().to_lowercase();
    if YES.contains(&word.as_str()) {
        Some("1".to_owned())
    } else {
        NO.contains(&word.as_str()).then(|| "0".to_owned())
    }
}

/// Features of an article, each name once, with what is said of it.
fn features(wanted: &Value) -> Vec<Feature> {
    let mut features: Vec<Feature> = Vec::new();
    for one in list(wanted) {
        let name = text(&one["name"]).trim().to_owned();
        let values = list(&one["values"]).iter().map(|value| text(value).trim().to_owned()).collect::<Vec<_>>();
        let values = values.into_iter().filter(|value| !value.is_empty());
        match features.iter_mut().find(|(known, _)| is_name(known, &name)) {
            Some((_, known)) => {
                for value in values {
                    if !known.contains(&value) {
                        known.push(value);
                    }
                }
            }
            None => features.push((name, values.collect())),
        }
    }
    features.retain(|(name, values)| !name.is_empty() && !values.is_empty());
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_has_each_name_once_and_something_to_say() {
        let wanted = json!([
            { "name": "Care ", "values": ["30", "dry"] }, { "name": "care", "values": ["dry", "cold"] },
            { "name": "Empty", "values": [" "] }, { "name": "", "values": ["x"] },
        ]);
        let all = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(features(&wanted), [("Care".to_owned(), all(&["30", "dry", "cold"]))]);
        assert!(features(&Value::Null).is_empty());
        assert_eq!(
            (yes_or_no("Ja").as_deref(), yes_or_no("0").as_deref(), yes_or_no("x")),
            (Some("1"), Some("0"), None)
        );
    }
}
