//! How WooCommerce lists and makes categories.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::ports::Calls;
use serde_json::{Value, json};

use super::client::{WooCommerceClient, unexpected};
use super::native::{self, text, unescape};
use crate::categories::{self, CategoryApi};

/// Categories by id.
pub type Tree = categories::Tree<u64>;
/// The tree of one shop.
pub type Categories = categories::Categories<u64>;

fn tree_of(rows: &[Value]) -> Tree {
    let category = |row: &Value| {
        let parent = native::number(&row["parent"]).filter(|parent| *parent != 0);
        Some((native::id(row)?, unescape(&text(&row["name"])), parent))
    };
    rows.iter().filter_map(category).collect()
}

#[async_trait]
impl CategoryApi for WooCommerceClient {
    type Id = u64;

    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    async fn read_categories(&self, calls: &Calls) -> Result<Tree, Failure> {
        Ok(tree_of(&self.all("products/categories", &[("_fields", "id,name,parent")], calls).await?))
    }

    /// Somebody else may have made it meanwhile: then the shop refuses, with its id.
    async fn make_category(&self, parent: Option<&u64>, name: &str, calls: &Calls) -> Result<Option<u64>, Failure> {
        let mut body = json!({ "name": name });
        if let Some(parent) = parent {
            body["parent"] = json!(parent);
        }
        let answer = self.post("products/categories", body, None, calls).await?;
        let id = native::id(&answer).or_else(|| native::number(&answer["data"]["resource_id"]));
        id.map(Some).ok_or_else(|| unexpected("a category"))
    }

    fn unexpected(&self, what: &str) -> Failure {
        unexpected(what)
    }
}

/// The recorded tree.
#[cfg(test)]
pub(super) fn recorded() -> Tree {
    tree_of(&serde_json::from_str::<Vec<Value>>(include_str!("fixtures/products-categories.json")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_categories_have_their_way_from_the_root() {
        let tree = recorded();
        assert_eq!(tree.path(&17).unwrap(), ["Kleding", "Shirts"]);
        assert_eq!(tree.path(&18).unwrap(), ["Diensten & overig"]);
        assert_eq!((tree.below(Some(&16), "shirts"), tree.below(None, "Shirts")), (Some(17), None));
    }
}
