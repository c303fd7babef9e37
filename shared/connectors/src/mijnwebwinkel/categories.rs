//! How MijnWebwinkel lists and makes categories. They are made, never removed: the API cannot.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::ports::Calls;
use serde_json::{Value, json};

use super::client::{MijnWebwinkelClient, unexpected};
use super::native::{number_of, text};
use crate::categories::{self, CategoryApi};

/// Categories by id.
pub type Tree = categories::Tree<String>;
/// The tree of one shop.
pub type Categories = categories::Categories<String>;

/// The tree of what the shop answered.
pub fn tree_of(rows: &[Value]) -> Tree {
    let category = |row: &Value| {
        let parent = number_of(&row["parent_category_id"]);
        (text(&row["id"]), text(&row["title"]), Some(parent).filter(|parent| !parent.is_empty()))
    };
    rows.iter().map(category).filter(|(id, ..)| !id.is_empty()).collect()
}

#[async_trait]
impl CategoryApi for MijnWebwinkelClient {
    type Id = String;

    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    async fn read_categories(&self, calls: &Calls) -> Result<Tree, Failure> {
        Ok(tree_of(&self.categories(calls).await?))
    }

    async fn make_category(
        &self,
        parent: Option<&String>,
        name: &str,
        calls: &Calls,
    ) -> Result<Option<String>, Failure> {
        let mut body = json!({ "title": name });
        if let Some(id) = parent.and_then(|parent| parent.parse::<u64>().ok()) {
            body["parent_category_id"] = json!(id);
        }
        let id = text(&self.create_category(body, calls).await?["id"]);
        if id.is_empty() { Err(unexpected("a category")) } else { Ok(Some(id)) }
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
        let tree = tree_of(&[
            json!({"id": 11, "parent_category_id": null, "title": "Assortiment"}),
            json!({"id": 12, "parent_category_id": 11, "title": "Kleding"}),
            json!({"id": 13, "parent_category_id": 0, "title": "Los"}),
        ]);
        assert_eq!(tree.path(&"12".to_owned()).unwrap(), ["Assortiment", "Kleding"]);
        assert_eq!((tree.path(&"13".to_owned()).unwrap(), tree.path(&"99".to_owned())), (vec!["Los".to_owned()], None));
        let below = |parent: Option<&str>, name| tree.below(parent.map(ToOwned::to_owned).as_ref(), name);
        assert_eq!((below(Some("11"), "kleding"), below(None, "Kleding")), (Some("12".into()), None));
    }
}
