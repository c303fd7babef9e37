//! Variations: the shop makes a combination of every value with every other by itself. Those that are wanted are given their
//! number; the others are switched off, and none is ever deleted.

use std::collections::BTreeMap;

use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::CcvShopTarget;
use super::prices::{Choice, Parts, Priced, take_apart};
use super::values::number_of;
use crate::ccv_shop::client::unexpected;
use crate::ccv_shop::native::product::choices;
use crate::ccv_shop::native::{self, decimal, is_yes, list, text};

/// Records a page.
const PAGE: u64 = 250;

/// The variations of a product, ready to be written.
#[derive(Debug)]
pub struct Plan {
    pub parts: Parts,
    variations: Vec<Wanted>,
    /// Choices as people write them.
    names: BTreeMap<Choice, (String, String)>,
}

#[derive(Debug)]
struct Wanted {
    choices: Vec<Choice>,
    body: Map<String, Value>,
    sku: String,
}

/// Works out what is to be written, and refuses what the shop cannot show.
pub fn plan(wanted: &Value) -> Result<Plan, Failure> {
    let (mut priced, mut variations) = (Vec::new(), Vec::new());
    let mut names = BTreeMap::new();
    for one in list(wanted) {
        let sku = text(&one["sku"]).trim().to_owned();
        let mut own: Vec<Choice> = Vec::new();
        for choice in list(&one["choices"]) {
            let (name, option) = (text(&choice["name"]).trim().to_owned(), text(&choice["option"]).trim().to_owned());
            if name.is_empty() || option.is_empty() {
                continue;
            }
            let key = (name.to_lowercase(), option.to_lowercase());
            names.entry(key.clone()).or_insert((name, option));
            own.push(key);
        }
        own.sort();
        if own.is_empty() {
            return Err(refused("no_choices", format!("the variation «{sku}» has no choices to tell it by")));
        }
        if variations.iter().any(|other: &Wanted| other.choices == own) {
            return Err(refused("same_choices", format!("«{sku}» has the same choices as another variation")));
        }
        let price = decimal(&one["price"]).filter(|price| !price.is_sign_negative() || price.is_zero());
        let price = price.ok_or_else(|| refused("no_price", format!("the variation «{sku}» has no price")))?;
        priced.push(Priced { sku: sku.clone(), price, choices: own.clone() });
        let mut body = Map::new();
        body.insert("product_number".into(), json!(sku));
        if let Some(ean) = one.get("ean").filter(|ean| !ean.is_null()) {
            body.insert("ean_number".into(), json!(text(ean)));
        }
        body.insert("active".into(), json!(is_yes(&one["active"])));
        variations.push(Wanted { choices: own, body, sku });
    }
    Ok(Plan { parts: take_apart(&priced)?, variations, names })
}

fn refused(code: &str, message: String) -> Failure {
    Failure::reject(Cause::new(code, message).in_row("target._variations"))
}

impl CcvShopTarget {
    /// Makes the variations of a product those of the plan.
    pub(super) async fn send_variations(&self, product: u64, plan: &Plan, calls: &Calls) -> Result<(), Failure> {
        let values = self.options.value_ids(&self.client, &plan.names, calls).await?;
        self.send_values(product, plan, &values, calls).await?;
        let path = format!("products/{product}/attributecombinations");
        let rows = self.client.whole(&path, &[], calls).await?;
        let mut left: BTreeMap<u64, &Value> = rows.iter().filter_map(|row| Some((native::id(row)?, row))).collect();
        for wanted in &plan.variations {
            let row = left.iter().find(|(_, row)| own_choices(row) == wanted.choices).map(|(id, _)| *id);
            let Some((id, row)) = row.and_then(|id| Some((id, left.remove(&id)?))) else {
                return Err(unexpected(&format!("the combination of «{}»", wanted.sku)));
            };
            let differs = |(name, value): (&String, &Value)| {
                let there =
                    if name == "active" { json!(is_yes(&row["active"])) } else { json!(text(&row[name]).trim()) };
                (*value != there).then(|| (name.clone(), value.clone()))
            };
            let body: Map<String, Value> = wanted.body.iter().filter_map(differs).collect();
            self.change_combination(id, body, calls).await?;
        }
        // Those that nobody sells go last, so that what they are sold as is there before they disappear.
        for (id, row) in left {
            let number = text(&row["product_number"]).trim().to_owned();
            let mut body = Map::new();
            if is_yes(&row["active"]) {
                body.insert("active".into(), json!(false));
            }
            if !number.is_empty() {
                // Its number is free again, and a merchant can still see what it was.
                body.insert("product_number".into(), json!(""));
                body.insert("note".into(), json!(format!("{number} is no longer sold")));
            }
            self.change_combination(id, body, calls).await?;
        }
        Ok(())
    }

    async fn change_combination(&self, id: u64, body: Map<String, Value>, calls: &Calls) -> Result<(), Failure> {
        if body.is_empty() {
            return Ok(());
        }
        self.client.change(&format!("attributecombinations/{id}"), Value::Object(body), calls).await
    }

    /// The values that a product has, and what each costs on top.
    async fn send_values(
        &self,
        product: u64,
        plan: &Plan,
        values: &BTreeMap<Choice, u64>,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let path = format!("products/{product}/productattributevalues");
        let rows = self.client.all(&path, &[], PAGE, calls).await?;
        let there = |value: u64| rows.iter().find(|row| native::number(&row["optionvalue_id"]) == Some(value));
        for (choice, value) in values {
            let extra = plan.parts.extra.get(choice).copied().unwrap_or_default();
            let Some(row) = there(*value) else {
                let body = json!({ "optionvalue": value, "price": number_of(extra), "enable": true });
                self.client.create(&path, body, calls).await?;
                continue;
            };
            let mut body = Map::new();
            if decimal(&row["price"]) != Some(extra) {
                body.insert("price".into(), number_of(extra));
            }
            if !is_yes(&row["enable"]) {
                body.insert("enable".into(), json!(true));
            }
            if let Some(id) = native::id(row).filter(|_| !body.is_empty()) {
                self.client.change(&format!("productattributevalues/{id}"), Value::Object(body), calls).await?;
            }
        }
        Ok(())
    }
}

fn own_choices(combination: &Value) -> Vec<Choice> {
    let mut own: Vec<Choice> = choices(combination)
        .into_iter()
        .map(|(option, value, _)| (option.trim().to_lowercase(), value.trim().to_lowercase()))
        .collect();
    own.sort();
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variations_without_choices_or_price_or_twice_the_same_are_refused() {
        let one = |sku: &str, size: &str, price: &str| json!({ "sku": sku, "price": price, "active": true, "choices": [{ "name": "Size", "option": size }] });
        let good = plan(&json!([one("S", "S", "10"), one("M", "M", "12")])).unwrap();
        assert_eq!(good.parts.extra[&("size".into(), "m".into())], "2".parse().unwrap());
        let code = |wanted: Value| plan(&wanted).unwrap_err().cause().code.clone();
        assert_eq!(code(json!([one("S", "", "10")])), "no_choices");
        assert_eq!(code(json!([one("S", "S", "10"), one("T", "s ", "10")])), "same_choices");
        assert_eq!(code(json!([one("S", "S", "")])), "no_price");
    }
}
