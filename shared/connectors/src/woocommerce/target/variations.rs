//! Variations: records of their own below a product. Only those that differ are written, and none is ever deleted.

use std::collections::BTreeMap;

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;
use serde_json::{Map, Value, json};

use super::WooCommerceTarget;
use super::attributes::{Names, of_variation};
use super::batch::Item;
use super::pictures::{Known, learn, memory, remembered};
use super::products::add_meta;
use super::values::{self, spoken_of};
use crate::woocommerce::native::{self, text, unescape};

/// Meta key of a variation that the source no longer has. It is private; a merchant may still need what it says.
const GONE: &str = "_koppel_gone";

const STATUSES: [&str; 2] = ["publish", "private"];

/// The source no longer has it.
pub fn is_gone(row: &Value) -> bool {
    !text(&native::meta(row)[GONE]).is_empty()
}

/// One variation to create or change.
struct Plan {
    item: Item,
    linked: Vec<Known>,
}

impl WooCommerceTarget {
    /// Makes the variations of a product those that are wanted.
    pub(super) async fn send_variations(
        &self,
        product: u64,
        is_new: bool,
        wanted: &[Value],
        names: &Names,
        contents: &[Picture],
        calls: &Calls,
    ) -> Result<(), Failure> {
        let rows = if is_new { Vec::new() } else { self.variations_of(product, calls).await? };
        let mut left: BTreeMap<u64, &Value> = rows.iter().filter_map(|row| Some((native::id(row)?, row))).collect();
        let matched: Vec<Option<&Value>> = matches(wanted, &mut left);
        let mut plans = Vec::new();
        for (wanted, row) in wanted.iter().zip(matched) {
            plans.extend(self.plan_variation(wanted, row, names, contents, calls).await?);
        }
        // Those that have left the source go last, so that what they are sold as is there before they disappear.
        for row in left.into_values().filter(|row| !is_gone(row)) {
            let body = json!({ "status": "private", "meta_data": [{ "key": GONE, "value": "1" }] });
            let body = body.as_object().cloned().unwrap_or_default();
            let item = Item { id: native::id(row), body, label: text(&row["sku"]) };
            plans.push(Plan { item, linked: Vec::new() });
        }
        if plans.is_empty() {
            return Ok(());
        }
        let path = format!("products/{product}/variations/batch");
        let fields: &[&str] = if plans.iter().any(|plan| !plan.linked.is_empty()) { &["image"] } else { &[] };
        let items: Vec<Item> = plans.iter().map(|plan| plan.item.clone()).collect();
        let answers = self.batches.send(&self.client, &path, &items, fields, calls).await?;
        let mut learned = Vec::new();
        let mut first_failure = Ok(());
        for (plan, answer) in plans.iter().zip(answers) {
            match answer {
                Ok(answer) if plan.linked.is_empty() => drop(answer),
                Ok(answer) => {
                    let item = |body| Item { id: native::id(&answer), body, label: plan.item.label.clone() };
                    learned.extend(learn(&plan.linked, &answer).map(|body| (path.clone(), item(body))));
                }
                Err(failure) => first_failure = first_failure.and(Err(failure)),
            }
        }
        self.remember(learned, calls).await;
        first_failure
    }

    /// What is to be sent for one variation; nothing when the shop has it so.
    async fn plan_variation(
        &self,
        wanted: &Value,
        row: Option<&Value>,
        names: &Names,
        contents: &[Picture],
        calls: &Calls,
    ) -> Result<Option<Plan>, Failure> {
        let fields = wanted.as_object().map(spoken_of).unwrap_or_default();
        let row = row.unwrap_or(&Value::Null);
        let is_new = row.is_null();
        let mut body = Map::new();
        for (name, value) in &fields {
            match name.as_str() {
                "attributes" => {
                    if is_new || choices(value) != choices(&row["attributes"]) {
                        body.insert(name.clone(), of_variation(value, names));
                    }
                }
                "status" => {
                    values::word("status", value, &STATUSES)?;
                    if is_new || text(value) != text(&row["status"]) {
                        body.insert(name.clone(), value.clone());
                    }
                }
                "meta_data" => add_meta(&mut body, value.clone()),
                name if name.starts_with('_') => {}
                name => {
                    let value = self.plain(name, value.clone())?;
                    if is_new || !values::same(&text(&value), &unescape(&text(&row[name]))) {
                        body.insert(name.to_owned(), value);
                    }
                }
            }
        }
        if is_gone(row) {
            add_meta(&mut body, json!([{ "key": GONE, "value": null }]));
        }
        let linked = self.plan_picture(&fields, row, contents, &mut body, calls).await?;
        let label = fields.get("sku").map(text).unwrap_or_default();
        let item = Item { id: native::id(row), body, label };
        Ok((!item.body.is_empty()).then_some(Plan { item, linked }))
    }

    async fn plan_picture(
        &self,
        fields: &Map<String, Value>,
        row: &Value,
        contents: &[Picture],
        body: &mut Map<String, Value>,
        calls: &Calls,
    ) -> Result<Vec<Known>, Failure> {
        let Some(picture) = fields.get("_picture").filter(|picture| !text(&picture["url"]).is_empty()) else {
            return Ok(Vec::new());
        };
        let known = remembered(row);
        let is_there = |known: &Known| known.url == text(&picture["url"]) && known.version == text(&picture["version"]);
        if known.first().is_some_and(is_there) {
            return Ok(Vec::new());
        }
        let wanted = std::slice::from_ref(picture);
        let Some(mut resolved) = self.pictures.resolve(&self.client, wanted, &known, contents, calls).await? else {
            return Ok(Vec::new());
        };
        let links = resolved.has_links();
        if !links {
            add_meta(body, memory(&resolved.known));
        }
        body.insert("image".into(), resolved.images.pop().unwrap_or_default());
        Ok(if links { resolved.known } else { Vec::new() })
    }
}

/// The variation of the shop for each that is wanted: by its article number, else one without a number that has the
/// same choices. What is matched is taken out of `left`.
fn matches<'a>(wanted: &[Value], left: &mut BTreeMap<u64, &'a Value>) -> Vec<Option<&'a Value>> {
    let mut take = |is: &dyn Fn(&Value) -> bool| {
        let id = left.iter().find(|(_, row)| is(row)).map(|(id, _)| *id)?;
        left.remove(&id)
    };
    let by_sku: Vec<Option<&Value>> = wanted
        .iter()
        .map(|one| {
            let sku = text(&one["sku"]);
            take(&|row| !sku.is_empty() && unescape(&text(&row["sku"])).trim() == sku.trim())
        })
        .collect();
    wanted
        .iter()
        .zip(by_sku)
        .map(|(one, row)| {
            row.or_else(|| {
                let wanted = choices(&one["attributes"]);
                take(&|row| text(&row["sku"]).is_empty() && !wanted.is_empty() && choices(&row["attributes"]) == wanted)
            })
        })
        .collect()
}

/// Choices by name: a variation has them in any order.
fn choices(attributes: &Value) -> BTreeMap<String, String> {
    let plain = |value: &Value| unescape(text(value).trim());
    let choice = |entry: &Value| (plain(&entry["name"]).to_lowercase(), plain(&entry["option"]));
    native::list(attributes).iter().map(choice).filter(|(_, option)| !option.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variations_are_known_by_number_and_else_by_their_choices() {
        let row = |id: u64, sku: &str, size: &str| json!({ "id": id, "sku": sku, "attributes": [{ "id": 2, "name": "Maat", "option": size }] });
        let wanted = |sku: &str, size: &str| json!({ "sku": sku, "attributes": [{ "name": "maat", "option": size }] });
        let rows = [row(1, "T-S", "S"), row(2, "", "M"), row(3, "OLD", "L"), row(4, "", "XL")];
        let mut left: BTreeMap<u64, &Value> = rows.iter().map(|row| (native::id(row).unwrap(), row)).collect();
        let found = matches(&[wanted("T-M", "M"), wanted("T-S", "S"), wanted("T-L", "L")], &mut left);
        let ids: Vec<Option<u64>> = found.iter().map(|row| row.and_then(native::id)).collect();
        assert_eq!(ids, [Some(2), Some(1), None]);
        assert_eq!(left.into_keys().collect::<Vec<_>>(), [3, 4]);
    }
}
