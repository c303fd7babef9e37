//! Stock: simple products a hundred a call, variations a hundred a call for each of their products.

use std::collections::BTreeMap;

use koppel_core::message::Action;
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::batch::Item;
use super::find::Id;
use super::values::{self, spoken_of};
use super::{Results, WooCommerceTarget};

impl WooCommerceTarget {
    /// Sets quantities. Stock is never created: it belongs to a product.
    pub(super) async fn send_stock(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results: Vec<Option<Result<Sent, Failure>>> = vec![None; changes.len()];
        let mut lists: BTreeMap<String, Vec<(usize, Item)>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            match item(change) {
                Ok((_, item)) if item.body.is_empty() => results[at] = Some(Ok(sent(change))),
                Ok((path, item)) => lists.entry(path).or_default().push((at, item)),
                Err(failure) => results[at] = Some(Err(failure)),
            }
        }
        let mut any_known = results.iter().any(Option::is_some);
        for (path, list) in lists {
            let (places, items): (Vec<usize>, Vec<Item>) = list.into_iter().unzip();
            match self.batches.send(&self.client, &path, &items, &[], calls).await {
                Ok(answers) => {
                    any_known = true;
                    for (at, answer) in places.into_iter().zip(answers) {
                        results[at] = Some(answer.map(|_| sent(&changes[at])));
                    }
                }
                Err(failure) if !any_known => return Err(failure),
                // What follows would fail the same way, and costs the shop more of what it has too little of.
                Err(failure) => {
                    let open = results.iter_mut().filter(|result| result.is_none());
                    open.for_each(|result| *result = Some(Err(failure.clone())));
                    break;
                }
            }
        }
        Ok(results.into_iter().flatten().collect())
    }
}

fn item(change: &Change) -> Result<(String, Item), Failure> {
    let Action::Update { id } = &change.action else {
        return Err(Failure::reject(
            Cause::new("not_in_target", format!("the shop does not have «{}»", change.key))
                .advice("bring the article over with a flow of products"),
        ));
    };
    let id = Id::parse(id)?;
    let item = Item { id: Some(id.record), body: body(&change.fields)?, label: change.key.to_string() };
    Ok((id.batch_path(), item))
}

/// A quantity is ignored unless the same item says that it counts.
fn body(fields: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let fields = spoken_of(fields);
    let mut body = Map::new();
    if let Some(quantity) = fields.get("stock_quantity") {
        body.insert("manage_stock".into(), json!(true));
        body.insert("stock_quantity".into(), json!(values::pieces(quantity)?));
    }
    if let Some(manage) = fields.get("manage_stock") {
        body.insert("manage_stock".into(), manage.clone());
        if *manage == json!(false) {
            body.remove("stock_quantity");
        }
    }
    Ok(body)
}

fn sent(change: &Change) -> Sent {
    let id = match &change.action {
        Action::Update { id } => id.clone(),
        Action::Create => String::new(),
    };
    Sent { id, number: change.key.to_string(), ..Sent::default() }
}
