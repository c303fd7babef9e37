//! Prices of classes of customers, by the plugin Wholesale Suite: a class is a role, a price stands on the product or
//! variation. All roles of a product are written at once, a hundred products a call.
//!
//! The plugin has an API of its own. WooCommerce's would store the same meta data, but not what the product of a variation
//! must know of it, and would take a role that nobody has.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::connection::Connection;
use koppel_core::document::Price;
use koppel_core::error::nearest;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::batch::Item;
use super::find::Id;
use super::{Results, WooCommerceTarget};
use crate::woocommerce::client::WHOLESALE;
use crate::woocommerce::judge::NO_ROUTE;
use crate::woocommerce::native::{self, text};

const FIELDS: &str = "id,type,parent_id,sku,meta_data";
const RULES_ON: &str = "wwpp_post_meta_enable_quantity_discount_rule";
const RULES: &str = "wwpp_post_meta_quantity_discount_rule_mapping";
const RULES_FIELD: &str = "wholesale_quantity_discount_rule_mapping";
/// A price is a number from a quantity on; the plugin also knows percentages.
const FIXED: &str = "fixed-price";

/// The option `wholesale_premium`.
pub fn is_premium(connection: &Connection) -> Result<bool, Failure> {
    match connection.option("wholesale_premium").as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Failure::settings(
            Cause::new("bad_option", format!("wholesale_premium is true or false, not «{other}»"))
                .in_row("wholesale_premium")
                .at_connection(&connection.name),
        )),
    }
}

/// What is written to one product: its changes, and the body they make.
struct Written {
    id: Id,
    places: Vec<usize>,
    prices: Map<String, Value>,
    /// Rules of all roles, when one of them changes.
    rules: Option<Vec<Value>>,
    label: String,
}

impl WooCommerceTarget {
    /// What the shop has for these articles and roles. An article without a price for a role is there, with none.
    pub(super) async fn find_prices(
        &self,
        keys: &[NonEmpty],
        calls: &Calls,
    ) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
        let halves = keys.iter().filter_map(|key| Some((key, Price::halves(key)?)));
        let halves: Vec<(&NonEmpty, (NonEmpty, NonEmpty))> = halves.collect();
        let skus: BTreeSet<&NonEmpty> = halves.iter().map(|(_, (sku, _))| sku).collect();
        let rows = self.rows_of(&skus, FIELDS, calls).await?;
        let mut found: BTreeMap<NonEmpty, Vec<Existing>> = BTreeMap::new();
        for (key, (sku, role)) in &halves {
            for (_, row) in rows.values().filter(|(known, _)| known == sku) {
                let Some(id) = Id::of(row) else { continue };
                let mut fields = Map::new();
                fields.insert("wholesale_price".into(), json!(meta(row, &format!("{role}_wholesale_price"))));
                let breaks: Vec<Value> = rules_of(row).iter().filter_map(|rule| shown(rule, role.as_str())).collect();
                fields.insert("_breaks".into(), Value::Array(breaks));
                let existing = Existing { id: id.text(), label: key.to_string(), fields };
                found.entry((*key).clone()).or_default().push(existing);
            }
        }
        Ok(found)
    }

    /// Writes prices. Each product is one item of a batch, whatever roles change.
    pub(super) async fn send_prices(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let roles = self.roles(calls).await?;
        let mut results: Vec<Option<Result<Sent, Failure>>> = vec![None; changes.len()];
        let mut written: BTreeMap<String, Written> = BTreeMap::new();
        let now = self.rules_now(changes, calls).await?;
        for (at, change) in changes.iter().enumerate() {
            if let Err(failure) = self.add(&mut written, &roles, &now, at, change) {
                results[at] = Some(Err(failure));
            }
        }
        let mut lists: BTreeMap<String, (Vec<Written>, Vec<Item>)> = BTreeMap::new();
        for one in written.into_values() {
            let (products, items) = lists.entry(format!("{WHOLESALE}/{}", one.id.batch_path())).or_default();
            items.push(Item { id: Some(one.id.record), body: one.body(), label: one.label.clone() });
            products.push(one);
        }
        let mut any_known = results.iter().any(Option::is_some);
        for (path, (products, items)) in lists {
            let answers = match self.batches.send(&self.client, &path, &items, &["wholesale_data"], calls).await {
                Ok(answers) => answers,
                Err(failure) if !any_known => return Err(failure),
                Err(failure) => products.iter().map(|_| Err(failure.clone())).collect(),
            };
            any_known = true;
            for (product, answer) in products.iter().zip(answers) {
                for at in &product.places {
                    let kept = answer.clone().and_then(|row| is_kept(&row, &changes[*at]));
                    results[*at] = Some(kept.map(|()| sent(&changes[*at])));
                }
            }
        }
        Ok(results.into_iter().map(|result| result.unwrap_or_else(|| Err(nothing_said()))).collect())
    }

    /// The roles of the shop. Without the plugin there are none, and nothing can be written.
    async fn roles(&self, calls: &Calls) -> Result<BTreeSet<String>, Failure> {
        match self.client.one(&format!("{WHOLESALE}/roles"), &[], calls).await {
            Ok(Some(Value::Object(roles))) => Ok(roles.into_iter().map(|(role, _)| role).collect()),
            Ok(_) => Err(plugin_missing()),
            Err(Failure::Settings(cause)) if cause.code == NO_ROUTE => Err(plugin_missing()),
            Err(other) => Err(other),
        }
    }

    /// Rules that products have by now, of all roles: the list is written as a whole.
    async fn rules_now(&self, changes: &[Change], calls: &Calls) -> Result<BTreeMap<String, Vec<Value>>, Failure> {
        let with_rules = changes.iter().filter(|change| change.fields.contains_key("_breaks"));
        let skus: Vec<NonEmpty> = with_rules.filter_map(|change| Some(Price::halves(&change.key)?.0)).collect();
        if skus.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = self.rows_of(&skus.iter().collect(), FIELDS, calls).await?;
        Ok(rows.values().filter_map(|(_, row)| Some((Id::of(row)?.text(), rules_of(row)))).collect())
    }

    fn add(
        &self,
        written: &mut BTreeMap<String, Written>,
        roles: &BTreeSet<String>,
        now: &BTreeMap<String, Vec<Value>>,
        at: usize,
        change: &Change,
    ) -> Result<(), Failure> {
        let halves = Price::halves(&change.key);
        let (Some((_, role)), Action::Update { id }) = (halves, &change.action) else {
            return Err(Failure::reject(
                Cause::new("not_in_target", format!("the shop does not have «{}»", change.key))
                    .advice("bring the article over with a flow of products"),
            ));
        };
        if !roles.contains(role.as_str()) {
            return Err(no_such_role(role.as_str(), roles));
        }
        let breaks = change.fields.get("_breaks").map(native::list);
        if !self.wholesale_premium && breaks.as_ref().is_some_and(|breaks| !breaks.is_empty()) {
            return Err(needs_premium(change));
        }
        let one = written.entry(id.clone()).or_insert(Written {
            id: Id::parse(id)?,
            places: Vec::new(),
            prices: Map::new(),
            rules: None,
            label: change.key.to_string(),
        });
        one.places.push(at);
        if let Some(price) = change.fields.get("wholesale_price") {
            one.prices.insert(role.to_string(), json!(number_text(price)));
        }
        if let Some(breaks) = breaks {
            let rules = one.rules.get_or_insert_with(|| now.get(id).cloned().unwrap_or_default());
            rules.retain(|rule| text(&rule["wholesale_role"]) != role.as_str());
            rules.extend(rules_to_write(&breaks, role.as_str()));
        }
        Ok(())
    }
}

impl Written {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if !self.prices.is_empty() {
            body.insert("wholesale_price".into(), Value::Object(self.prices.clone()));
        }
        if let Some(rules) = &self.rules {
            // An empty list would be taken for nothing said; an empty text switches the rules off.
            let rules = if rules.is_empty() { json!("") } else { Value::Array(rules.clone()) };
            body.insert(RULES_FIELD.into(), rules);
        }
        body
    }
}

/// A number in its shortest form, whatever it comes as; other texts stay as they are.
fn number_text(value: &Value) -> String {
    let text = text(value).trim().to_owned();
    text.parse::<Decimal>().map_or(text, |number| number.normalize().to_string())
}

/// A value of the meta data as text.
fn meta(row: &Value, key: &str) -> String {
    native::list(&row["meta_data"])
        .iter()
        .find(|one| text(&one["key"]) == key)
        .map(|one| text(&one["value"]))
        .unwrap_or_default()
}

/// Rules that are in force, of all roles.
fn rules_of(row: &Value) -> Vec<Value> {
    if meta(row, RULES_ON) != "yes" {
        return Vec::new();
    }
    let rules = native::list(&row["meta_data"]).into_iter().find(|one| text(&one["key"]) == RULES);
    rules.map(|one| native::list(&one["value"])).unwrap_or_default()
}

/// A rule of this role as the rows write it.
fn shown(rule: &Value, role: &str) -> Option<Value> {
    let is_ours = text(&rule["wholesale_role"]) == role && text(&rule["price_type"]) == FIXED;
    is_ours.then(|| json!({ "from": number_text(&rule["start_qty"]), "price": number_text(&rule["wholesale_price"]) }))
}

/// Each holds to the quantity before the next one, the last for ever.
fn rules_to_write(breaks: &[Value], role: &str) -> Vec<Value> {
    let from = |one: &Value| number_text(&one["from"]);
    let before = |next: &Value| {
        let next: Decimal = from(next).parse().unwrap_or_default();
        (next - Decimal::ONE).normalize().to_string()
    };
    let rule = |(at, one): (usize, &Value)| {
        json!({
            "wholesale_role": role, "start_qty": from(one), "end_qty": breaks.get(at + 1).map(before).unwrap_or_default(),
            "price_type": FIXED, "wholesale_price": number_text(&one["price"]),
        })
    };
    breaks.iter().enumerate().map(rule).collect()
}

/// The plugin answers what it has stored; what it drops in silence would come back with every run.
fn is_kept(row: &Value, change: &Change) -> Result<(), Failure> {
    let Some((role, price)) =
        Price::halves(&change.key).map(|halves| halves.1).zip(change.fields.get("wholesale_price"))
    else {
        return Ok(());
    };
    let Some(kept) = row.get("wholesale_data").and_then(|data| data.get("wholesale_price")) else { return Ok(()) };
    let number = |text: String| text.parse::<Decimal>().map(|number| number.normalize()).ok();
    let (kept, wanted) = (number(text(&kept[role.as_str()])), number(number_text(price)));
    if kept == wanted {
        return Ok(());
    }
    Err(Failure::reject(
        Cause::new("price_not_kept", format!("the shop did not keep the price of «{}»", change.key))
            .advice("look at the product in the shop: one with variations has its prices on them"),
    ))
}

fn sent(change: &Change) -> Sent {
    let id = match &change.action {
        Action::Update { id } => id.clone(),
        Action::Create => String::new(),
    };
    Sent { id, number: change.key.to_string(), ..Sent::default() }
}

fn plugin_missing() -> Failure {
    Failure::settings(
        Cause::new("plugin_missing", "the shop has no prices for classes of customers: the plugin Wholesale Suite is not there")
            .advice("install and activate «Wholesale Prices for WooCommerce» by Wholesale Suite; other plugins are not supported"),
    )
}

fn no_such_role(role: &str, roles: &BTreeSet<String>) -> Failure {
    let known: Vec<&str> = roles.iter().map(String::as_str).collect();
    let advice = match nearest(role, known.iter().copied()) {
        Some(near) => format!("did you mean «{near}»?"),
        None => format!("name one of {} in settings.price.classes, or make the role in the shop", known.join(", ")),
    };
    Failure::settings(
        Cause::new("unknown_role", format!("the shop has no role «{role}» for wholesale prices"))
            .advice(advice)
            .in_row("settings.price.classes"),
    )
}

fn needs_premium(change: &Change) -> Failure {
    Failure::settings(
        Cause::new(
            "breaks_need_premium",
            format!("«{}» has prices from a quantity on, which the free edition of Wholesale Prices does not know", change.key),
        )
        .advice("set wholesale_premium: true in the connection when the shop has the premium edition, or settings.price.leave_breaks: true in the flow"),
    )
}

fn nothing_said() -> Failure {
    let cause = Cause::new("no_result", "the shop gave no result for this price");
    Failure::retry(koppel_core::error::RetryReason::OutcomeUnknown, None, cause)
}
