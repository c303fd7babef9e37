//! The category tree of a shop: read once, kept for a while. Categories are made, never removed: the API cannot.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::ports::Calls;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client::{MijnWebwinkelClient, unexpected};
use super::native::{number_of, text};

/// A merchant may rename or move categories; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// Deeper than this is a circle.
const DEEPEST: usize = 32;

/// Categories by id.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<String, Category>);

#[derive(Clone, Debug)]
struct Category {
    name: String,
    /// Empty: it lies at the root.
    parent: String,
}

impl Tree {
    /// The tree of what the shop answered.
    pub fn of(rows: &[Value]) -> Self {
        let category = |row: &Value| {
            let parent = number_of(&row["parent_category_id"]);
            (text(&row["id"]), Category { name: text(&row["title"]), parent })
        };
        Self(rows.iter().map(category).filter(|(id, _)| !id.is_empty()).collect())
    }

    /// Names from the root to this category.
    pub fn path(&self, id: &str) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut next = id.to_owned();
        while !next.is_empty() {
            let category = self.0.get(&next)?;
            names.push(category.name.clone());
            next.clone_from(&category.parent);
            if names.len() > DEEPEST {
                return None;
            }
        }
        names.reverse();
        Some(names)
    }

    fn below(&self, parent: &str, name: &str) -> Option<String> {
        let wanted = name.to_lowercase();
        let is = |category: &Category| category.parent == parent && category.name.to_lowercase() == wanted;
        self.0.iter().find(|(_, category)| is(category)).map(|(id, _)| id.clone())
    }

    /// Ids with their names from the root.
    pub fn paths(&self) -> impl Iterator<Item = (&String, Vec<String>)> {
        self.0.keys().filter_map(|id| Some((id, self.path(id)?)))
    }
}

/// The tree of one shop.
#[derive(Debug, Default)]
pub struct Categories(Mutex<Option<(DateTime<Utc>, Arc<Tree>)>>);

impl Categories {
    /// The tree, read anew when it is old or does not know one of these ids.
    pub async fn tree<'a>(
        &self,
        client: &MijnWebwinkelClient,
        needed: impl IntoIterator<Item = &'a String> + Send,
        calls: &Calls,
    ) -> Result<Arc<Tree>, Failure> {
        let needed: Vec<&String> = needed.into_iter().collect();
        let mut kept = self.0.lock().await;
        if let Some((read, tree)) = kept.as_ref()
            && client.now() - *read < KEPT
            && needed.iter().all(|id| tree.0.contains_key(*id))
        {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(Tree::of(&client.categories(calls).await?));
        *kept = Some((client.now(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// The category at the end of this path; what is missing of it is made, level by level.
    pub async fn make(
        &self,
        client: &MijnWebwinkelClient,
        path: &[String],
        calls: &Calls,
    ) -> Result<Option<String>, Failure> {
        let mut tree = self.tree(client, [], calls).await?;
        let mut parent = String::new();
        for name in path.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            parent = match tree.below(&parent, name) {
                Some(id) => id,
                None => {
                    let mut body = json!({"title": name});
                    if let Ok(id) = parent.parse::<u64>() {
                        body["parent_category_id"] = json!(id);
                    }
                    let id = text(&client.create_category(body, calls).await?["id"]);
                    if id.is_empty() {
                        return Err(unexpected("a category"));
                    }
                    let mut grown = (*tree).clone();
                    grown.0.insert(id.clone(), Category { name: name.to_owned(), parent });
                    tree = Arc::new(grown);
                    if let Some((_, kept)) = self.0.lock().await.as_mut() {
                        *kept = Arc::clone(&tree);
                    }
                    id
                }
            };
        }
        Ok((!parent.is_empty()).then_some(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_their_way_from_the_root() {
        let tree = Tree::of(&[
            json!({"id": 11, "parent_category_id": null, "title": "Assortiment"}),
            json!({"id": 12, "parent_category_id": 11, "title": "Kleding"}),
            json!({"id": 13, "parent_category_id": 0, "title": "Los"}),
        ]);
        assert_eq!(tree.path("12").unwrap(), ["Assortiment", "Kleding"]);
        assert_eq!((tree.path("13").unwrap(), tree.path("99")), (vec!["Los".to_owned()], None));
        assert_eq!((tree.below("11", "kleding"), tree.below("", "Kleding")), (Some("12".into()), None));
        let circle = Tree::of(&[
            json!({"id": 1, "parent_category_id": 2, "title": "A"}),
            json!({"id": 2, "parent_category_id": 1, "title": "B"}),
        ]);
        assert_eq!(circle.path("1"), None);
    }
}
