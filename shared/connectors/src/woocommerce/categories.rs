//! The category tree of a shop: read once, kept for a while, read again when a product names one that is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::ports::Calls;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client::WooCommerceClient;
use super::native::{self, text, unescape};

/// A merchant may rename or move categories; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// Deeper than this is a circle.
const DEEPEST: usize = 32;

/// Categories by id.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<u64, Category>);

#[derive(Clone, Debug)]
struct Category {
    name: String,
    parent: u64,
}

impl Tree {
    fn of(rows: &[Value]) -> Self {
        let category = |row: &Value| {
            let name = unescape(&text(&row["name"]));
            Some((native::id(row)?, Category { name, parent: native::number(&row["parent"]).unwrap_or_default() }))
        };
        Self(rows.iter().filter_map(category).collect())
    }

    /// Names from the root to this category.
    pub fn path(&self, id: u64) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut next = id;
        while next != 0 {
            let category = self.0.get(&next)?;
            names.push(category.name.clone());
            next = category.parent;
            if names.len() > DEEPEST {
                return None;
            }
        }
        names.reverse();
        Some(names)
    }

    /// The category of this name below `parent` (0 is the root), in any case: WordPress does not tell them apart either.
    fn below(&self, parent: u64, name: &str) -> Option<u64> {
        let wanted = name.to_lowercase();
        let is = |category: &Category| category.parent == parent && category.name.to_lowercase() == wanted;
        self.0.iter().find(|(_, category)| is(category)).map(|(id, _)| *id)
    }
}

/// The tree of one shop.
#[derive(Debug, Default)]
pub struct Categories(Mutex<Option<(DateTime<Utc>, Arc<Tree>)>>);

impl Categories {
    /// The tree, with all of these ids unless the shop does not have them.
    pub async fn tree(
        &self,
        client: &WooCommerceClient,
        needed: &BTreeSet<u64>,
        calls: &Calls,
    ) -> Result<Arc<Tree>, Failure> {
        let mut kept = self.0.lock().await;
        if let Some((read, tree)) = kept.as_ref()
            && client.now() - *read < KEPT
            && needed.iter().all(|id| tree.0.contains_key(id))
        {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(read(client, calls).await?);
        *kept = Some((client.now(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// The category at the end of this path; what is missing of it is made, level by level.
    pub async fn make(
        &self,
        client: &WooCommerceClient,
        path: &[String],
        calls: &Calls,
    ) -> Result<Option<u64>, Failure> {
        let mut tree = self.tree(client, &BTreeSet::new(), calls).await?;
        let mut parent = 0;
        for name in path.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            parent = match tree.below(parent, name) {
                Some(id) => id,
                None => {
                    let id = create(client, parent, name, calls).await?;
                    let mut grown = (*tree).clone();
                    grown.0.insert(id, Category { name: name.to_owned(), parent });
                    tree = Arc::new(grown);
                    if let Some((_, kept)) = self.0.lock().await.as_mut() {
                        *kept = Arc::clone(&tree);
                    }
                    id
                }
            };
        }
        Ok((parent != 0).then_some(parent))
    }
}

async fn read(client: &WooCommerceClient, calls: &Calls) -> Result<Tree, Failure> {
    Ok(Tree::of(&client.all("products/categories", &[("_fields", "id,name,parent")], calls).await?))
}

/// Makes one category. Somebody else may have made it meanwhile: then the shop answers its id.
async fn create(client: &WooCommerceClient, parent: u64, name: &str, calls: &Calls) -> Result<u64, Failure> {
    let mut body = json!({ "name": name });
    if parent != 0 {
        body["parent"] = json!(parent);
    }
    let answer = client.post("products/categories", body, None, calls).await?;
    let id = native::id(&answer).or_else(|| native::number(&answer["data"]["resource_id"]));
    id.ok_or_else(|| super::client::unexpected("a category"))
}

/// The recorded tree.
#[cfg(test)]
pub(super) fn recorded() -> Tree {
    Tree::of(&serde_json::from_str::<Vec<Value>>(include_str!("fixtures/products-categories.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_categories_have_their_way_from_the_root() {
        let tree = recorded();
        assert_eq!(tree.path(17).unwrap(), ["Kleding", "Shirts"]);
        assert_eq!(tree.path(18).unwrap(), ["Diensten & overig"]);
        assert_eq!((tree.path(99), tree.path(0)), (None, Some(Vec::new())));
        assert_eq!((tree.below(16, "shirts"), tree.below(0, "Shirts")), (Some(17), None));
        let circle =
            Tree::of(&[json!({"id": 1, "name": "A", "parent": 2}), json!({"id": 2, "name": "B", "parent": 1})]);
        assert_eq!(circle.path(1), None);
    }
}
