//! Prices for groups of users: one call each. A price class is the name of a group, or its number.
//!
//! A product has such a price as a whole: the combinations of a product cost what their choices cost on top of it. Prices from a
//! quantity on belong to the product and are shown to everybody, so they are not written for one group.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Price;
use koppel_core::error::nearest;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::find::Id;
use super::values::{plain, spoken_of};
use super::{CcvShopTarget, Results, gather};
use crate::ccv_shop::native::product::combinations;
use crate::ccv_shop::native::{self, decimal, list, text};

/// Groups and their prices are used for this long when they are compared; before they are written they are read again.
const KEPT: TimeDelta = TimeDelta::seconds(60);
/// Records a page.
const PAGE: u64 = 250;

/// Prices of one group, by product.
type OfGroup = BTreeMap<u64, Value>;

/// What was read of the groups of one shop.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Mutex<Option<(DateTime<Utc>, Vec<Value>)>>,
    prices: Mutex<BTreeMap<u64, (DateTime<Utc>, OfGroup)>>,
}

impl CcvShopTarget {
    /// What the shop has for these articles and groups. An article without a price for a group is there, with none.
    pub(super) async fn find_prices(
        &self,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let halves = keys.iter().filter_map(|key| Some((key, Price::halves(key)?)));
        let halves: Vec<(&NonEmpty, (NonEmpty, NonEmpty))> = halves.collect();
        let numbers: BTreeSet<&str> = halves.iter().map(|(_, (sku, _))| sku.as_str()).collect();
        let read = self.products_with(true, &numbers, calls).await?;
        let vat = self.shop.facts(&self.client, calls).await?.prices_include_vat;
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        for (key, (sku, class)) in &halves {
            let group = self.group(class.as_str(), calls).await?;
            let prices = match group {
                Some(group) => self.prices_of(group, calls).await?,
                // Told when it is written: then there is somebody to tell.
                None => OfGroup::new(),
            };
            for product in read.with(&BTreeSet::from([sku.as_str()])) {
                let Some(id) = native::id(product) else { continue };
                for id in ids_of(product, id, sku.as_str()) {
                    let price = prices.get(&id.product).filter(|_| id.combination.is_none()).and_then(shown);
                    let fields = json!({ "price": price, "_prices_include_vat": vat, "_breaks": [] });
                    let fields = fields.as_object().cloned().unwrap_or_default();
                    let existing = Existing { id: id.text(), label: key.to_string(), fields };
                    found.entry((*key).clone()).or_default().push(existing);
                }
            }
        }
        Ok(found)
    }

    /// Writes prices.
    pub(super) async fn send_prices(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::new();
        // What another process wrote meanwhile must not be written beside it.
        self.groups.prices.lock().await.clear();
        for change in changes {
            let result = self.send_price(change, calls).await;
            if !gather(&mut results, changes.len(), result)? {
                break;
            }
        }
        self.groups.prices.lock().await.clear();
        Ok(results)
    }

    async fn send_price(&self, change: &Change, calls: &Calls) -> Result<Sent, Failure> {
        let (Some((_, class)), Action::Update { id: shown_id }) = (Price::halves(&change.key), &change.action) else {
            return Err(Failure::reject(
                Cause::new("not_in_target", format!("the shop does not have «{}»", change.key))
                    .advice("bring the article over with a flow of products"),
            ));
        };
        let fields = spoken_of(&change.fields);
        self.check_vat_of_prices(&fields, "price", calls).await?;
        let id = Id::parse(shown_id)?;
        if id.combination.is_some() {
            return Err(Failure::reject(
                Cause::new(
                    "price_of_combination",
                    format!("«{}» is a combination of a product, and a group has prices of whole products", change.key),
                )
                .advice("give the product the price of the group, or leave combinations out with filter.where"),
            ));
        }
        if fields.get("_breaks").is_some_and(|breaks| !list(breaks).is_empty()) {
            return Err(Failure::settings(
                Cause::new(
                    "breaks_not_supported",
                    format!("«{}» has prices from a quantity on, which the shop shows to everybody", change.key),
                )
                .advice("set settings.price.leave_breaks: true in the flow, and keep them in the shop")
                .in_row("settings.price.leave_breaks"),
            ));
        }
        let Some(group) = self.group(class.as_str(), calls).await? else {
            return Err(self.no_such_group(class.as_str()).await);
        };
        let sent = Sent { id: shown_id.clone(), number: change.key.to_string(), ..Sent::default() };
        let Some(price) = fields.get("price") else { return Ok(sent) };
        let mut body = Map::new();
        body.insert("price".into(), plain("price", price.clone())?);
        // A discount on top would make another price of it.
        body.insert("discount".into(), json!(0));
        let known = self.prices_of(group, calls).await?.get(&id.product).and_then(native::id);
        match known {
            Some(known) => {
                let path = format!("usergroupproductadjustments/{known}");
                self.client.change(&path, Value::Object(body), calls).await?;
            }
            None => {
                body.insert("product_id".into(), json!(id.product));
                body.insert("usergroup_id".into(), json!(group));
                self.client.create("usergroupproductadjustments", Value::Object(body), calls).await?;
            }
        }
        Ok(sent)
    }

    /// The group of this name or number.
    async fn group(&self, class: &str, calls: &Calls) -> Result<Option<u64>, Failure> {
        let mut kept = self.groups.groups.lock().await;
        let is_fresh = kept.as_ref().is_some_and(|(read, _)| self.client.now() - *read < KEPT);
        if !is_fresh {
            let rows = self.client.all("usergroups", &[], PAGE, calls).await?;
            *kept = Some((self.client.now(), rows));
        }
        let rows = kept.as_ref().map(|(_, rows)| rows.as_slice()).unwrap_or_default();
        let named = rows.iter().find(|row| text(&row["groupname"]).trim().eq_ignore_ascii_case(class.trim()));
        Ok(named.or_else(|| rows.iter().find(|row| text(&row["id"]) == class.trim())).and_then(native::id))
    }

    async fn prices_of(&self, group: u64, calls: &Calls) -> Result<OfGroup, Failure> {
        let mut kept = self.groups.prices.lock().await;
        if let Some((read, prices)) = kept.get(&group)
            && self.client.now() - *read < KEPT
        {
            return Ok(prices.clone());
        }
        let asked = [("usergroup_id", group.to_string())];
        let rows = self.client.whole("usergroupproductadjustments", &asked, calls).await?;
        let prices: OfGroup =
            rows.into_iter().filter_map(|row| Some((native::number(&row["product_id"])?, row))).collect();
        kept.insert(group, (self.client.now(), prices.clone()));
        Ok(prices)
    }

    async fn no_such_group(&self, class: &str) -> Failure {
        let kept = self.groups.groups.lock().await;
        let rows = kept.as_ref().map(|(_, rows)| rows.as_slice()).unwrap_or_default();
        let names: Vec<String> = rows.iter().map(|row| text(&row["groupname"])).collect();
        let advice = match nearest(class, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean «{near}»?"),
            None => {
                format!("name one of {} in settings.price.classes, or make the group in the shop", names.join(", "))
            }
        };
        Failure::settings(
            Cause::new("unknown_group", format!("the shop has no group of users «{class}»"))
                .advice(advice)
                .in_row("settings.price.classes"),
        )
    }
}

/// The price of a group as rows write it; one with a discount on it is another price.
fn shown(adjustment: &Value) -> Option<String> {
    let discount = decimal(&adjustment["discount"]).unwrap_or_default();
    decimal(&adjustment["price"]).filter(|_| discount.is_zero()).map(|price| price.normalize().to_string())
}

/// The product, or its combinations, with this number.
fn ids_of(product: &Value, id: u64, number: &str) -> Vec<Id> {
    if text(&product["productnumber"]).trim() == number {
        return vec![Id { product: id, combination: None }];
    }
    let of_combinations = combinations(product);
    let of_combinations = of_combinations.iter().filter(|one| text(&one["product_number"]).trim() == number);
    of_combinations.filter_map(native::id).map(|one| Id { product: id, combination: Some(one) }).collect()
}
