//! Products: a hundred a call, then the variations of each that has them.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::message::Action;
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::attributes::{Names, names_of};
use super::batch::{Answers, Item};
use super::find::Id;
use super::pictures::{Known, learn, memory, remembered};
use super::values::{self, spoken_of};
use super::{Results, WooCommerceTarget};
use crate::woocommerce::native::{self, text};

/// Changes that are sent together.
const MOST_CHANGES: usize = 100;
/// Pictures that are uploaded before the products that show them are written: what is written stays written.
const MOST_PICTURES: usize = 20;

const STATUSES: [&str; 4] = ["publish", "draft", "pending", "private"];
/// Types that rows may give, and that may be changed into each other. Those of plugins stay as they are.
const TYPES: [&str; 2] = ["simple", "variable"];
const VISIBILITIES: [&str; 4] = ["visible", "catalog", "search", "hidden"];
/// What a variation has from its product.
const NOT_OF_VARIATIONS: [&str; 9] = [
    "name",
    "type",
    "short_description",
    "catalog_visibility",
    "categories",
    "_categories",
    "_attributes",
    "_variations",
    "sold_individually",
];

/// What is to be sent for one change.
struct Plan {
    id: Option<Id>,
    body: Map<String, Value>,
    /// How variations name the product's attributes.
    names: Names,
    variations: Option<Vec<Value>>,
    /// Pictures that the shop fetches itself.
    linked: Vec<Known>,
}

/// Adds to the meta data of a body.
pub fn add_meta(body: &mut Map<String, Value>, entries: Value) {
    let mut list = native::list(body.get("meta_data").unwrap_or(&Value::Null));
    list.extend(native::list(&entries));
    body.insert("meta_data".into(), Value::Array(list));
}

impl WooCommerceTarget {
    /// Creates and changes products.
    pub(super) async fn send_products(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::new();
        while results.len() < changes.len() {
            let left = &changes[results.len()..];
            match self.send_part(&left[..part(left)], calls).await {
                Ok(list) => results.extend(list),
                Err(failure) if results.is_empty() => return Err(failure),
                Err(failure) => results.extend(left.iter().map(|_| Err(failure.clone()))),
            }
        }
        Ok(results)
    }

    async fn send_part(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let states = self.states(changes, calls).await?;
        let mut plans = Vec::with_capacity(changes.len());
        for change in changes {
            plans.push(of_record(self.plan(change, &states, calls).await)?);
        }
        let answers = self.write(changes, &plans, calls).await?;
        let mut results = Results::with_capacity(changes.len());
        let mut learned = Vec::new();
        for ((change, plan), answer) in changes.iter().zip(&plans).zip(answers) {
            let done = match (plan, answer) {
                (Ok(plan), Ok(answer)) => {
                    learned.extend(learn_links(plan, &answer, change));
                    self.finish(change, plan, &answer, calls).await
                }
                (Err(failure), _) => Err(failure.clone()),
                (_, Err(failure)) => Err(failure),
            };
            results.push(done);
        }
        self.remember(learned, calls).await;
        Ok(results)
    }

    /// Writes the products themselves; one answer for each plan.
    async fn write(
        &self,
        changes: &[Change],
        plans: &[Result<Plan, Failure>],
        calls: &Calls,
    ) -> Result<Answers, Failure> {
        let mut answers: Vec<Option<Result<Value, Failure>>> = Vec::with_capacity(plans.len());
        let mut lists: BTreeMap<String, Vec<(usize, Item)>> = BTreeMap::new();
        let mut fields = BTreeSet::new();
        for (at, (change, plan)) in changes.iter().zip(plans).enumerate() {
            let (answer, item) = match plan {
                Err(failure) => (Some(Err(failure.clone())), None),
                Ok(Plan { id: Some(id), body, .. }) if body.is_empty() => (Some(Ok(json!({ "id": id.record }))), None),
                Ok(plan) => {
                    if !plan.linked.is_empty() {
                        fields.insert(if plan.id.is_some_and(|id| id.parent.is_some()) { "image" } else { "images" });
                    }
                    let item = Item {
                        id: plan.id.map(|id| id.record),
                        body: plan.body.clone(),
                        label: change.key.to_string(),
                    };
                    let path = plan.id.map_or_else(|| "products/batch".into(), Id::batch_path);
                    (None, Some((path, item)))
                }
            };
            answers.push(answer);
            if let Some((path, item)) = item {
                lists.entry(path).or_default().push((at, item));
            }
        }
        let fields: Vec<&str> = fields.into_iter().collect();
        let mut any_known = answers.iter().any(Option::is_some);
        for (path, list) in lists {
            let (places, items): (Vec<usize>, Vec<Item>) = list.into_iter().unzip();
            let list = match self.batches.send(&self.client, &path, &items, &fields, calls).await {
                Ok(list) => list,
                Err(failure) if !any_known => return Err(failure),
                // What follows would fail the same way, and costs the shop more of what it has too little of.
                Err(failure) => {
                    let open = answers.iter_mut().filter(|answer| answer.is_none());
                    open.for_each(|answer| *answer = Some(Err(failure.clone())));
                    break;
                }
            };
            any_known = true;
            for (at, answer) in places.into_iter().zip(list) {
                answers[at] = Some(answer);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Variations come after the product, whose attributes they choose from.
    async fn finish(&self, change: &Change, plan: &Plan, answer: &Value, calls: &Calls) -> Result<Sent, Failure> {
        let record = native::id(answer)
            .ok_or_else(|| Failure::reject(Cause::new("refused", format!("the shop gave «{}» no id", change.key))))?;
        if let Some(wanted) = &plan.variations {
            let is_new = plan.id.is_none();
            self.send_variations(record, is_new, wanted, &plan.names, &change.pictures, calls).await?;
        }
        let id = Id { parent: plan.id.and_then(|id| id.parent), record };
        Ok(Sent { id: id.text(), number: change.key.to_string(), ..Sent::default() })
    }

    /// What must be known of products before they are changed: their type, attributes and pictures.
    async fn states(&self, changes: &[Change], calls: &Calls) -> Result<BTreeMap<u64, Value>, Failure> {
        let (mut products, mut variations) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            let Action::Update { id } = &change.action else { continue };
            let Ok(id) = Id::parse(id) else { continue };
            let speaks_of = |names: &[&str]| names.iter().any(|n| change.fields.get(*n).is_some_and(|v| !v.is_null()));
            match id.parent {
                None if speaks_of(&["type", "_pictures", "_variations"]) => products.insert(id.record),
                Some(_) if speaks_of(&["_pictures"]) => variations.insert(id.record),
                _ => false,
            };
        }
        let mut states = BTreeMap::new();
        if !products.is_empty() {
            let ids: Vec<String> = products.iter().map(u64::to_string).collect();
            let fields = "id,type,attributes,images,meta_data";
            let query = [("include", ids.join(",")), ("context", "edit".into()), ("_fields", fields.into())];
            let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let rows = self.client.all("products", &query, calls).await?;
            states.extend(rows.into_iter().filter_map(|row| Some((native::id(&row)?, row))));
        }
        for id in variations {
            let query = [("context", "edit"), ("_fields", "id,type,image,meta_data")];
            let row = self.client.one(&format!("products/{id}"), &query, calls).await?;
            states.extend(row.map(|row| (id, row)));
        }
        Ok(states)
    }

    async fn plan(&self, change: &Change, states: &BTreeMap<u64, Value>, calls: &Calls) -> Result<Plan, Failure> {
        let id = match &change.action {
            Action::Create => None,
            Action::Update { id } => Some(Id::parse(id)?),
        };
        let of_variation = id.is_some_and(|id| id.parent.is_some());
        let state = id.and_then(|id| states.get(&id.record)).unwrap_or(&Value::Null);
        let mut plan = Plan { id, body: Map::new(), names: names_of(state), variations: None, linked: Vec::new() };
        for (name, value) in spoken_of(&change.fields) {
            if of_variation && NOT_OF_VARIATIONS.contains(&name.as_str()) {
                continue;
            }
            match name.as_str() {
                "_categories" => {
                    let ids = self.category_ids(&value, calls).await?;
                    if !ids.is_empty() {
                        plan.body.insert("categories".into(), ids.into_iter().map(|id| json!({ "id": id })).collect());
                    }
                }
                "_attributes" => {
                    let (entries, names) = self.attributes.of_product(&self.client, &value, calls).await?;
                    plan.body.insert("attributes".into(), entries);
                    plan.names = names;
                }
                "_pictures" => {
                    let wanted = native::list(&value);
                    if id.is_some() || !wanted.is_empty() {
                        self.plan_pictures(&mut plan, &wanted, state, change, calls).await?;
                    }
                }
                "_variations" => plan.variations = Some(native::list(&value)),
                "type" => {
                    values::word("type", &value, &TYPES)?;
                    let is = text(&state["type"]);
                    if is.is_empty() || is != text(&value) && TYPES.contains(&is.as_str()) {
                        plan.body.insert(name, value);
                    }
                }
                "status" => {
                    values::word("status", &value, &STATUSES)?;
                    // A variation that is not to be seen has one status for it.
                    let hidden = of_variation && value != json!("publish");
                    plan.body.insert(name, if hidden { json!("private") } else { value });
                }
                "catalog_visibility" => {
                    values::word("catalog_visibility", &value, &VISIBILITIES)?;
                    plan.body.insert(name, value);
                }
                "meta_data" => add_meta(&mut plan.body, value),
                name if name.starts_with('_') => {}
                _ => {
                    let value = self.plain(&name, value)?;
                    plan.body.insert(name, value);
                }
            }
        }
        Ok(plan)
    }

    /// A field that products and variations have in the same form.
    pub(super) fn plain(&self, name: &str, value: Value) -> Result<Value, Failure> {
        Ok(match name {
            "regular_price" | "sale_price" => json!(values::price(&value)?),
            "weight" => json!(values::weight(&value)?.map(|kg| self.weight.of_kilograms(kg)).unwrap_or_default()),
            // The standard class has no name of its own on products.
            "tax_class" if value == json!("standard") => json!(""),
            "stock_quantity" => json!(values::pieces(&value)?),
            _ => value,
        })
    }

    async fn category_ids(&self, paths: &Value, calls: &Calls) -> Result<BTreeSet<u64>, Failure> {
        let mut ids = BTreeSet::new();
        for path in native::list(paths) {
            let names: Vec<String> = native::list(&path).iter().map(text).collect();
            ids.extend(self.categories.make(&self.client, &names, calls).await?);
        }
        Ok(ids)
    }

    async fn plan_pictures(
        &self,
        plan: &mut Plan,
        wanted: &[Value],
        state: &Value,
        change: &Change,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let of_variation = plan.id.is_some_and(|id| id.parent.is_some());
        // A variation shows one picture.
        let wanted = if of_variation { &wanted[..wanted.len().min(1)] } else { wanted };
        let resolved = self.pictures.resolve(&self.client, wanted, &remembered(state), &change.pictures, calls).await?;
        let Some(mut resolved) = resolved else { return Ok(()) };
        if resolved.has_links() {
            plan.linked.clone_from(&resolved.known);
        } else {
            add_meta(&mut plan.body, memory(&resolved.known));
        }
        if of_variation {
            plan.body.insert("image".into(), resolved.images.pop().unwrap_or_default());
        } else {
            plan.body.insert("images".into(), Value::Array(resolved.images));
        }
        Ok(())
    }

    /// Remembers the pictures that the shop has fetched itself. When that fails they are fetched once more at the next
    /// change, which is no reason to say that the product was not written.
    pub(super) async fn remember(&self, learned: Vec<(String, Item)>, calls: &Calls) {
        let mut lists: BTreeMap<String, Vec<Item>> = BTreeMap::new();
        for (path, item) in learned {
            lists.entry(path).or_default().push(item);
        }
        for (path, items) in lists {
            if let Err(failure) = self.batches.send(&self.client, &path, &items, &[], calls).await {
                tracing::warn!(cause = %failure, "pictures could not be remembered");
            }
        }
    }
}

/// Changes of which this many go together.
fn part(changes: &[Change]) -> usize {
    let mut pictures = 0;
    let fits = |change: &&Change| {
        pictures += change.pictures.len();
        pictures <= MOST_PICTURES
    };
    changes.iter().take(MOST_CHANGES).take_while(fits).count().max(1)
}

/// A rejection is that of one record; anything else ends the whole.
fn of_record<T>(result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match result {
        Err(failure @ Failure::Reject(_)) => Ok(Err(failure)),
        Err(failure) => Err(failure),
        Ok(done) => Ok(Ok(done)),
    }
}

fn learn_links(plan: &Plan, answer: &Value, change: &Change) -> Option<(String, Item)> {
    if plan.linked.is_empty() {
        return None;
    }
    let body = learn(&plan.linked, answer)?;
    let path = plan.id.map_or_else(|| "products/batch".into(), Id::batch_path);
    Some((path, Item { id: native::id(answer), body, label: change.key.to_string() }))
}
