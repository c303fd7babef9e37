//! The category tree of a shop: read in one call, kept for a while, read again when a product names one that is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client::CcvShopClient;
use super::native::{self, list, text};

/// A merchant may rename or move categories; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// Deeper than this is a circle.
const DEEPEST: usize = 32;
/// Letters in the name of a category.
const LONGEST_NAME: usize = 255;

/// Categories by id.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<u64, Category>);

#[derive(Clone, Debug)]
struct Category {
    name: String,
    parent: u64,
}

impl Tree {
    /// The tree as the shop answers it.
    pub fn of(body: &Value) -> Self {
        let mut tree = Self::default();
        tree.add(&list(&body["root_categories"]), 0, 0);
        tree
    }

    fn add(&mut self, nodes: &[Value], parent: u64, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for node in nodes {
            let Some(id) = native::id(node) else { continue };
            self.0.insert(id, Category { name: text(&node["name"]).trim().to_owned(), parent });
            self.add(&list(&node["children"]), id, depth + 1);
        }
    }

    /// Ids of all categories.
    pub fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.keys().copied()
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

    /// The category of this name below `parent` (0 is the root), in any case. Names are not unique: the first counts.
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
        client: &CcvShopClient,
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
        let body = client.one("categorytree", &[], calls).await?.unwrap_or_default();
        let tree = Arc::new(Tree::of(&body));
        *kept = Some((client.now(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// The category at the end of this path; what is missing of it is made, level by level.
    pub async fn make(&self, client: &CcvShopClient, path: &[String], calls: &Calls) -> Result<Option<u64>, Failure> {
        let mut tree = self.tree(client, &BTreeSet::new(), calls).await?;
        let mut parent = 0;
        for name in path.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if let Some(id) = tree.below(parent, name) {
                parent = id;
                continue;
            }
            create(client, parent, name, calls).await?;
            // The answer may be empty, so the new id is looked up where everybody sees it.
            *self.0.lock().await = None;
            tree = self.tree(client, &BTreeSet::new(), calls).await?;
            parent = tree.below(parent, name).ok_or_else(|| super::client::unexpected("the category that was made"))?;
        }
        Ok((parent != 0).then_some(parent))
    }
}

async fn create(client: &CcvShopClient, parent: u64, name: &str, calls: &Calls) -> Result<(), Failure> {
    if name.chars().count() > LONGEST_NAME {
        return Err(Failure::reject(
            Cause::new("text_too_long", format!("the category «{name}» has more than {LONGEST_NAME} letters"))
                .in_row("target._categories"),
        ));
    }
    let mut body = json!({ "name": name, "show_on_website": true });
    if parent != 0 {
        body["parentcategory_id"] = json!(parent);
    }
    client.create("categories", body, calls).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_their_way_from_the_root() {
        let tree = Tree::of(&json!({ "root_categories": [
            { "id": 1, "name": "Clothes ", "children": [{ "id": "2", "name": "Shirts", "children": [] }] },
            { "id": 3, "name": "Shirts", "children": null },
        ]}));
        assert_eq!(tree.path(2).unwrap(), ["Clothes", "Shirts"]);
        assert_eq!((tree.below(1, "shirts"), tree.below(0, "SHIRTS"), tree.below(2, "x")), (Some(2), Some(3), None));
        assert_eq!((tree.path(9), tree.ids().count()), (None, 3));
    }
}
