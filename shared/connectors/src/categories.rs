//! The category tree of a shop: read once, kept for a while, read again when a product names one that is not in it, and
//! grown level by level. How a shop lists and makes categories is its own: [`CategoryApi`].

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::ports::Calls;
use tokio::sync::Mutex;

/// A merchant may rename or move categories; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// Deeper than this is a circle.
const DEEPEST: usize = 32;

/// Categories by id.
#[derive(Clone, Debug)]
pub struct Tree<Id>(BTreeMap<Id, Category<Id>>);

#[derive(Clone, Debug)]
struct Category<Id> {
    name: String,
    /// `None`: it lies at the root.
    parent: Option<Id>,
}

impl<Id> Default for Tree<Id> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Of id, name and parent; the root has none.
impl<Id: Ord> FromIterator<(Id, String, Option<Id>)> for Tree<Id> {
    fn from_iter<I: IntoIterator<Item = (Id, String, Option<Id>)>>(rows: I) -> Self {
        Self(rows.into_iter().map(|(id, name, parent)| (id, Category { name, parent })).collect())
    }
}

impl<Id: Ord + Clone> Tree<Id> {
    /// Names from the root to this category.
    pub fn path(&self, id: &Id) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let category = self.0.get(id)?;
            names.push(category.name.clone());
            next = category.parent.as_ref();
            if names.len() > DEEPEST {
                return None;
            }
        }
        names.reverse();
        Some(names)
    }

    /// Ids with their names from the root.
    pub fn paths(&self) -> impl Iterator<Item = (&Id, Vec<String>)> {
        self.0.keys().filter_map(|id| Some((id, self.path(id)?)))
    }

    /// The category of this name below `parent`, in any case; where names are not unique, the first.
    pub fn below(&self, parent: Option<&Id>, name: &str) -> Option<Id> {
        let wanted = name.to_lowercase();
        let is = |category: &Category<Id>| category.parent.as_ref() == parent && category.name.to_lowercase() == wanted;
        self.0.iter().find(|(_, category)| is(category)).map(|(id, _)| id.clone())
    }
}

/// What a shop's client does with categories.
#[async_trait]
pub trait CategoryApi: Send + Sync {
    /// How the shop numbers them.
    type Id: Ord + Clone + Send + Sync;

    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// All categories.
    async fn read_categories(&self, calls: &Calls) -> Result<Tree<Self::Id>, Failure>;

    /// Makes one. `None` when the answer does not tell its id: then it is looked up where everybody sees it.
    async fn make_category(
        &self,
        parent: Option<&Self::Id>,
        name: &str,
        calls: &Calls,
    ) -> Result<Option<Self::Id>, Failure>;

    /// The shop did not answer what was expected of it.
    fn unexpected(&self, what: &str) -> Failure;
}

/// A tree, and when it was read.
type Read<Id> = (DateTime<Utc>, Arc<Tree<Id>>);

/// The tree of one shop.
#[derive(Debug)]
pub struct Categories<Id>(Mutex<Option<Read<Id>>>);

impl<Id> Default for Categories<Id> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<Id: Ord + Clone + Send + Sync> Categories<Id> {
    /// The tree, with all of these ids unless the shop does not have them.
    pub async fn tree<'a>(
        &self,
        api: &impl CategoryApi<Id = Id>,
        needed: impl IntoIterator<Item = &'a Id> + Send,
        calls: &Calls,
    ) -> Result<Arc<Tree<Id>>, Failure>
    where
        Id: 'a,
    {
        let needed: Vec<&Id> = needed.into_iter().collect();
        let mut kept = self.0.lock().await;
        if let Some((read, tree)) = kept.as_ref()
            && api.now() - *read < KEPT
            && needed.iter().all(|id| tree.0.contains_key(*id))
        {
            return Ok(Arc::clone(tree));
        }
        let tree = Arc::new(api.read_categories(calls).await?);
        *kept = Some((api.now(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// The category at the end of this path; what is missing of it is made, level by level.
    pub async fn make(
        &self,
        api: &impl CategoryApi<Id = Id>,
        path: &[String],
        calls: &Calls,
    ) -> Result<Option<Id>, Failure> {
        let mut tree = self.tree(api, [], calls).await?;
        let mut parent: Option<Id> = None;
        for name in path.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if let Some(id) = tree.below(parent.as_ref(), name) {
                parent = Some(id);
                continue;
            }
            match api.make_category(parent.as_ref(), name, calls).await? {
                Some(id) => {
                    let category = Category { name: name.to_owned(), parent };
                    let mut kept = self.0.lock().await;
                    // Somebody else may have made others meanwhile: what is kept grows, not what was read before.
                    let mut grown = kept.as_ref().map_or_else(|| (*tree).clone(), |(_, newer)| (**newer).clone());
                    grown.0.insert(id.clone(), category);
                    tree = Arc::new(grown);
                    if let Some((_, kept)) = kept.as_mut() {
                        *kept = Arc::clone(&tree);
                    }
                    parent = Some(id);
                }
                None => {
                    *self.0.lock().await = None;
                    tree = self.tree(api, [], calls).await?;
                    let made = tree.below(parent.as_ref(), name);
                    parent = Some(made.ok_or_else(|| api.unexpected("the category that was made"))?);
                }
            }
        }
        Ok(parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(rows: &[(u64, &str, Option<u64>)]) -> Tree<u64> {
        rows.iter().map(|(id, name, parent)| (*id, (*name).to_owned(), *parent)).collect()
    }

    #[test]
    fn categories_have_their_way_from_the_root() {
        let shop = tree(&[(16, "Kleding", None), (17, "Shirts", Some(16)), (18, "Shirts", None)]);
        assert_eq!(shop.path(&17).unwrap(), ["Kleding", "Shirts"]);
        assert_eq!(shop.path(&99), None);
        assert_eq!((shop.below(Some(&16), "shirts"), shop.below(None, "SHIRTS")), (Some(17), Some(18)));
        assert_eq!(shop.below(Some(&17), "x"), None);
        assert_eq!(shop.paths().count(), 3);
    }

    #[test]
    fn a_circle_has_no_way_from_the_root() {
        assert_eq!(tree(&[(1, "A", Some(2)), (2, "B", Some(1))]).path(&1), None);
        assert_eq!(tree(&[(1, "A", Some(9))]).path(&1), None);
    }
}
