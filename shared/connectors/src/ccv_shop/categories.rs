//! How CCV Shop lists and makes categories: the whole tree in one call.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::client::{CcvShopClient, unexpected};
use super::native::{self, list, text};
use crate::categories::{self, CategoryApi};

/// Categories by id.
pub type Tree = categories::Tree<u64>;
/// The tree of one shop.
pub type Categories = categories::Categories<u64>;

/// Deeper than this is not read.
const DEEPEST: usize = 32;
/// Letters in the name of a category.
const LONGEST_NAME: usize = 255;

/// The tree as the shop answers it.
pub fn tree_of(body: &Value) -> Tree {
    let mut rows = Vec::new();
    add(&mut rows, &list(&body["root_categories"]), None, 0);
    rows.into_iter().collect()
}

fn add(rows: &mut Vec<(u64, String, Option<u64>)>, nodes: &[Value], parent: Option<u64>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    for node in nodes {
        let Some(id) = native::id(node) else { continue };
        rows.push((id, text(&node["name"]).trim().to_owned(), parent));
        add(rows, &list(&node["children"]), Some(id), depth + 1);
    }
}

#[async_trait]
impl CategoryApi for CcvShopClient {
    type Id = u64;

    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    async fn read_categories(&self, calls: &Calls) -> Result<Tree, Failure> {
        Ok(tree_of(&self.one("categorytree", &[], calls).await?.unwrap_or_default()))
    }

    /// The answer may be empty.
    async fn make_category(&self, parent: Option<&u64>, name: &str, calls: &Calls) -> Result<Option<u64>, Failure> {
        if name.chars().count() > LONGEST_NAME {
            return Err(Failure::reject(
                Cause::new("text_too_long", format!("the category «{name}» has more than {LONGEST_NAME} letters"))
                    .in_row("target._categories"),
            ));
        }
        let mut body = json!({ "name": name, "show_on_website": true });
        if let Some(parent) = parent {
            body["parentcategory_id"] = json!(parent);
        }
        self.create("categories", body, calls).await?;
        Ok(None)
    }

    fn unexpected(&self, what: &str) -> Failure {
        unexpected(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_their_way_from_the_root() {
        let tree = tree_of(&json!({ "root_categories": [
            { "id": 1, "name": "Clothes ", "children": [{ "id": "2", "name": "Shirts", "children": [] }] },
            { "id": 3, "name": "Shirts", "children": null },
        ]}));
        assert_eq!(tree.path(&2).unwrap(), ["Clothes", "Shirts"]);
        assert_eq!((tree.below(Some(&1), "shirts"), tree.below(None, "SHIRTS")), (Some(2), Some(3)));
        assert_eq!((tree.path(&9), tree.paths().count()), (None, 3));
    }
}
