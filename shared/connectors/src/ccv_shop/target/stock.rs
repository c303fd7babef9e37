//! Stock: one call for each product or combination.

use std::collections::BTreeSet;

use koppel_core::message::Action;
use koppel_core::ports::target::Change;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::find::Id;
use super::values::{plain, spoken_of};
use super::{CcvShopTarget, Results, gather};

impl CcvShopTarget {
    /// Sets quantities. Stock is never created: it belongs to a product.
    pub(super) async fn send_stock(&self, changes: &[Change], calls: &Calls) -> Result<Results, Failure> {
        let mut results = Results::new();
        // The flag of a product with options holds for all of them: it is written once.
        let mut flagged = BTreeSet::new();
        for change in changes {
            let result = self.send_level(change, &mut flagged, calls).await;
            if !gather(&mut results, changes.len(), result)? {
                break;
            }
        }
        Ok(results)
    }

    async fn send_level(
        &self,
        change: &Change,
        flagged: &mut BTreeSet<(u64, bool)>,
        calls: &Calls,
    ) -> Result<Sent, Failure> {
        let Action::Update { id: text } = &change.action else {
            return Err(Failure::reject(
                Cause::new("not_in_target", format!("the shop does not have «{}»", change.key))
                    .advice("bring the article over with a flow of products"),
            ));
        };
        let id = Id::parse(text)?;
        let mut body = Map::new();
        for (name, value) in spoken_of(&change.fields) {
            if !name.starts_with('_') {
                body.insert(name.clone(), plain(&name, value)?);
            }
        }
        if let Some(combination) = id.combination {
            if let Some(flag) = body.remove("stockenabled") {
                self.flag(id.product, flag == json!(true), flagged, calls).await?;
            }
            if !body.is_empty() {
                self.client.change(&format!("attributecombinations/{combination}"), Value::Object(body), calls).await?;
            }
        } else if !body.is_empty() {
            self.client.change(&format!("products/{}", id.product), Value::Object(body), calls).await?;
        }
        Ok(Sent { id: text.clone(), number: change.key.to_string(), ..Sent::default() })
    }

    /// Lets a product count the stock of its combinations, or not count at all.
    async fn flag(
        &self,
        product: u64,
        counts: bool,
        flagged: &mut BTreeSet<(u64, bool)>,
        calls: &Calls,
    ) -> Result<(), Failure> {
        if flagged.contains(&(product, counts)) {
            return Ok(());
        }
        let body = if counts {
            json!({ "stockenabled": true, "stocktype": "Attribute" })
        } else {
            json!({ "stockenabled": false })
        };
        self.client.change(&format!("products/{product}"), body, calls).await?;
        flagged.insert((product, counts));
        Ok(())
    }
}
