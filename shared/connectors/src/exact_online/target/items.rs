//! Products as items. A variation is an item of its own, under its own article number; the product that it belongs to
//! need not be an item, and is none unless somebody made it one.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing, Wanted};
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::native::{Around, ITEMS, Native, check_variation, exact_number, other_tax, text, weight_kg};
use super::prices;
use crate::exact_online::source::families::{self, PARENT};
use crate::exact_online::{ExactOnline, odata};

/// What became of each change, in their order.
type Results = Vec<Result<Sent, Failure>>;

/// Items by code.
struct Items(BTreeMap<String, Value>);

impl Items {
    /// An item by its code: written the same, else the same but for case, because codes are unique whatever their case.
    fn get(&self, code: &str) -> Option<&Value> {
        self.0.get(code.trim()).or_else(|| {
            let lower = code.trim().to_lowercase();
            self.0.iter().find(|(known, _)| known.to_lowercase() == lower).map(|(_, row)| row)
        })
    }
}

async fn read(exact: &ExactOnline, codes: BTreeSet<String>, calls: &Calls) -> Result<Items, Failure> {
    if codes.is_empty() {
        return Ok(Items(BTreeMap::new()));
    }
    let literals: Vec<String> = codes.iter().map(|code| odata::text(code)).collect();
    // The group's id besides its code: that is what an item is written with.
    let select = format!("{},ItemGroup", families::select());
    let rows = exact.client.search(ITEMS, &["Code"], &literals, &select, calls).await?;
    Ok(Items(rows.into_iter().filter_map(|row| Some((odata::field(&row, "Code")?, row))).collect()))
}

/// The codes of the items of a product: its own, and those of its variations.
fn codes_of(key: &NonEmpty, fields: &Map<String, Value>) -> Vec<String> {
    let variations = variations_of(fields).unwrap_or_default();
    let codes = variations.into_iter().filter_map(|one| odata::field(&one, "Code"));
    std::iter::once(key.as_str().trim().to_owned()).chain(codes).collect()
}

fn variations_of(fields: &Map<String, Value>) -> Option<Vec<Value>> {
    fields.get("_variations").and_then(Value::as_array).cloned()
}

/// A variation that its product no longer has: its item is hidden, and never created.
fn is_gone(variation: &Value) -> bool {
    variation["_gone"] == json!(true)
}

/// What Exact has of these products. What its fields cannot say is there when it is as wanted.
pub(in crate::exact_online) async fn find(
    exact: &ExactOnline,
    wanted: &[Wanted<'_>],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Vec<Existing>>, Failure> {
    let codes = wanted.iter().flat_map(|one| codes_of(one.key, one.fields)).collect();
    let items = read(exact, codes, calls).await?;
    if items.0.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lists = exact.lists.get(&exact.client, exact.attributes.need_assortments(), calls).await?;
    let around = Around { exact, lists: &lists };
    let mut found = BTreeMap::new();
    for one in wanted {
        let existing = match variations_of(one.fields) {
            Some(variations) => around.family(one, &variations, &items),
            None => items.get(one.key.as_str()).map(|row| around.item(one, row)),
        };
        found.extend(existing.map(|existing| (one.key.clone(), vec![existing])));
    }
    Ok(found)
}

impl Around<'_> {
    fn item(&self, wanted: &Wanted<'_>, row: &Value) -> Existing {
        let id = odata::field(row, "ID").unwrap_or_default().to_lowercase();
        let label = odata::field(row, "Code").unwrap_or_default();
        Existing { id, label, fields: self.there(wanted.fields, row) }
    }

    /// A product with variations, when one of its items is there.
    fn family(&self, wanted: &Wanted<'_>, variations: &[Value], items: &Items) -> Option<Existing> {
        let key = wanted.key.as_str();
        let own = items.get(key);
        let there: Vec<Option<&Value>> = variations.iter().map(|one| items.get(&odata::field(one, "Code")?)).collect();
        if own.is_none() && there.iter().all(Option::is_none) {
            return None;
        }
        let mut fields = match own {
            Some(row) => self.there(wanted.fields, row),
            // What no item holds is not missed.
            None => wanted.fields.clone(),
        };
        let same = variations.iter().zip(&there).all(|(one, row)| self.is_same(one, *row, key));
        let shown = there.iter().flatten().map(|row| json!({ "Code": odata::field(row, "Code") }));
        let shown = if same { wanted.fields["_variations"].clone() } else { shown.collect() };
        fields.insert("_variations".into(), shown);
        // What is sold is the variations: the product itself has no price.
        for name in ["StandardSalesPrice", "_price_includes_tax"] {
            fields.insert(name.into(), wanted.fields.get(name).cloned().unwrap_or_default());
        }
        Some(Existing { id: format!("{PARENT}{key}"), label: key.to_owned(), fields })
    }

    /// An item that is there, and still belongs to this product.
    fn is_still_of(&self, row: Option<&Value>, code: &str, parent: &str) -> bool {
        let variants = &self.exact.variants;
        row.is_some_and(|row| variants.is_none() || variants.parent(row, code).as_deref() == Some(parent.trim()))
    }

    fn is_same(&self, variation: &Value, row: Option<&Value>, parent: &str) -> bool {
        if is_gone(variation) && !self.is_still_of(row, &odata::field(variation, "Code").unwrap_or_default(), parent) {
            return true;
        }
        let (Some(fields), Some(row)) = (variation.as_object(), row) else { return false };
        // What cannot be made is told when it is sent.
        let same = self.native(fields, Some(parent)).is_ok_and(|native| native.is_all_there(row));
        let vat = odata::field(row, "SalesVatCode");
        same && self.check_tax(fields, vat.as_deref()).is_ok()
    }

    /// The wanted fields as an item has them.
    fn there(&self, wanted: &Map<String, Value>, row: &Value) -> Map<String, Value> {
        let code = odata::field(row, "SalesVatCode");
        let mut there = Map::new();
        for (name, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
            let one: Map<String, Value> = [(name.clone(), value.clone())].into_iter().collect();
            let is_there = match name.as_str() {
                "_price_includes_tax" => {
                    self.lists.includes_tax(code.as_deref()).is_none_or(|there| Some(there) == value.as_bool())
                }
                _ => self.native(&one, None).is_ok_and(|native| native.is_all_there(row)),
            };
            there.insert(name.clone(), if is_there { value.clone() } else { shown(name, row, self) });
        }
        there
    }
}

/// What an item has in the place of a field, for people to compare.
fn shown(name: &str, row: &Value, around: &Around<'_>) -> Value {
    match name {
        "_weight_kg" => weight_kg(row).map_or(Value::Null, exact_number),
        "_item_groups" => odata::field(row, "ItemGroupDescription").map_or(Value::Null, |name| json!([name])),
        "_price_includes_tax" => {
            json!(around.lists.includes_tax(odata::field(row, "SalesVatCode").as_deref()))
        }
        "StartDate" | "EndDate" => odata::local(row, name).map_or(Value::Null, |at| json!(at.date())),
        name => match row.get(name) {
            Some(Value::String(text)) => json!(text.trim()),
            Some(value) => value.clone(),
            None => Value::Null,
        },
    }
}

/// Prices that items are still to get: which change they belong to, item and price.
type Prices = Vec<(usize, String, Decimal)>;

/// Creates and changes items, then gives them their prices.
pub(in crate::exact_online) async fn send(
    exact: &ExactOnline,
    changes: &[Change],
    calls: &Calls,
) -> Result<Results, Failure> {
    let lists = exact.lists.get(&exact.client, exact.attributes.need_assortments(), calls).await?;
    // Of a product with variations only the whole list is told to differ, so its items are read once more.
    let families = changes.iter().filter(|change| is_family(change));
    let items = read(exact, families.flat_map(|change| codes_of(&change.key, &change.fields)).collect(), calls).await?;
    let around = Around { exact, lists: &lists };
    let (mut results, mut prices) = (Results::with_capacity(changes.len()), Prices::new());
    let mut stopped: Option<Failure> = None;
    for (at, change) in changes.iter().enumerate() {
        let result = match &stopped {
            Some(failure) => Err(failure.clone()),
            None if is_family(change) => around.send_family(at, change, &items, &mut prices, calls).await,
            None => around.send_item(at, change, &mut prices, calls).await,
        };
        if let Err(failure) = &result
            && !is_of_record(failure)
        {
            stopped = Some(failure.clone());
        }
        results.push(result);
    }
    // What went wrong before is told; a price on top of it would only be one more call.
    prices.retain(|(at, ..)| results[*at].is_ok());
    let wanted: Vec<(String, Decimal)> = prices.iter().map(|(_, item, price)| (item.clone(), *price)).collect();
    let told = match stopped {
        Some(failure) => wanted.iter().map(|_| Err(failure.clone())).collect(),
        None => match prices::send(exact, &wanted, calls).await {
            Ok(told) => told,
            Err(failure) => wanted.iter().map(|_| Err(failure.clone())).collect::<Vec<_>>(),
        },
    };
    for ((at, ..), result) in prices.into_iter().zip(told) {
        if let Err(failure) = result {
            results[at] = Err(failure);
        }
    }
    Ok(results)
}

fn is_family(change: &Change) -> bool {
    let known = matches!(&change.action, Action::Update { id } if id.starts_with(PARENT));
    known || change.fields.contains_key("_variations") && variations_of(&change.fields).is_some()
}

/// A failure that says nothing about the records behind it.
pub(super) fn is_of_record(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject(_)) || failure.cause().code == "not_found"
}

impl Around<'_> {
    async fn send_item(&self, at: usize, change: &Change, prices: &mut Prices, calls: &Calls) -> Result<Sent, Failure> {
        let native = self.native(&change.fields, None)?;
        let id = match &change.action {
            Action::Update { id } => {
                // It is only among what differs when it does.
                if let Some(includes) = change.fields.get("_price_includes_tax").and_then(Value::as_bool) {
                    return Err(other_tax(includes));
                }
                let body = native.to_update(&change.pictures);
                if !body.is_empty() {
                    self.exact.client.update(ITEMS, id, Value::Object(body), calls).await?;
                }
                id.clone()
            }
            Action::Create => {
                let code = change.key.as_str();
                if let Some(parent) = self.exact.variants.parent(&Value::Object(native.body.clone()), code) {
                    return Err(reads_as_variation(code, &parent));
                }
                self.create(&change.fields, &native, &change.pictures, calls).await?
            }
        };
        prices.extend(self.wanted_price(change, &native).map(|price| (at, id.clone(), price)));
        Ok(Sent { id, number: change.key.to_string(), ..Sent::default() })
    }

    /// A new item has no price; one that is there only gets another.
    fn wanted_price(&self, change: &Change, native: &Native) -> Option<Decimal> {
        native.price.filter(|price| change.action != Action::Create || !price.is_zero())
    }

    async fn create(
        &self,
        fields: &Map<String, Value>,
        native: &Native,
        pictures: &[koppel_core::ports::target::Picture],
        calls: &Calls,
    ) -> Result<String, Failure> {
        for (name, what) in [("Code", "article number"), ("Description", "name")] {
            if text(fields, name).is_none() {
                return Err(Failure::reject(
                    Cause::new("mandatory_missing", format!("the article has no {what}"))
                        .advice("give it one in the source, or in the target rows of the flow")
                        .in_row(format!("target.{name}")),
                ));
            }
        }
        self.check_tax(fields, text(fields, "SalesVatCode").as_deref())?;
        let body = Value::Object(native.to_create(pictures));
        let answer = self.exact.client.create(ITEMS, body, calls).await?;
        odata::field(&answer, "ID").map(|id| id.to_lowercase()).ok_or_else(|| {
            Failure::retry(
                koppel_core::error::RetryReason::OutcomeUnknown,
                None,
                Cause::new("no_id_answered", format!("{ITEMS} accepted the record but answered no id")),
            )
        })
    }

    /// The items of a product with variations: those that are missing are created, the others changed where they differ.
    async fn send_family(
        &self,
        at: usize,
        change: &Change,
        items: &Items,
        prices: &mut Prices,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let parent = change.key.as_str().trim();
        if let Some(row) = items.get(parent) {
            let mut fields = change.fields.clone();
            // What is sold is the variations.
            fields.retain(|name, _| !["StandardSalesPrice", "_price_includes_tax"].contains(&name.as_str()));
            let body = self.native(&fields, None)?.to_change(row, &change.pictures);
            self.change(row, body, calls).await?;
        }
        let mut wanted = Vec::new();
        for one in variations_of(&change.fields).unwrap_or_default() {
            let fields = one.as_object().cloned().unwrap_or_default();
            let code = odata::field(&one, "Code").unwrap_or_default();
            if is_gone(&one) {
                if let Some(row) = items.get(&code).filter(|row| self.is_still_of(Some(row), &code, parent)) {
                    let body = self.native(&fields, Some(parent))?.to_change(row, &[]);
                    self.change(row, body, calls).await?;
                }
                continue;
            }
            check_variation(&self.exact.variants, parent, &code)?;
            let native = self.native(&fields, Some(parent))?;
            wanted.push((code, fields, native));
        }
        // Everything can be made: only then is the first one written.
        for (code, fields, native) in wanted {
            let id = match items.get(&code) {
                Some(row) => {
                    let vat = text(&fields, "SalesVatCode").or_else(|| odata::field(row, "SalesVatCode"));
                    self.check_tax(&fields, vat.as_deref())?;
                    self.change(row, native.to_change(row, &change.pictures), calls).await?;
                    if native.price_is_there(row) {
                        continue;
                    }
                    odata::field(row, "ID").unwrap_or_default().to_lowercase()
                }
                None => {
                    let id = self.create(&fields, &native, &change.pictures, calls).await?;
                    if native.price.is_none_or(|price| price.is_zero()) {
                        continue;
                    }
                    id
                }
            };
            prices.extend(native.price.map(|price| (at, id, price)));
        }
        Ok(Sent { id: format!("{PARENT}{parent}"), number: parent.to_owned(), ..Sent::default() })
    }

    async fn change(&self, row: &Value, body: Map<String, Value>, calls: &Calls) -> Result<(), Failure> {
        if body.is_empty() {
            return Ok(());
        }
        let id = odata::field(row, "ID").unwrap_or_default();
        self.exact.client.update(ITEMS, &id, Value::Object(body), calls).await
    }
}

fn reads_as_variation(code: &str, parent: &str) -> Failure {
    Failure::reject(
        Cause::new("reads_as_variation", format!("«{code}» would be read back as a variation of «{parent}»"))
            .advice("give it another article number, or tell parents by a field (option variants of the connection)")
            .in_row("sku"),
    )
}
