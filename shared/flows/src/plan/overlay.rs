//! A store that reads through to another one and keeps in memory what is written: nothing of it stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::ports::{Clock, Condition, Item, Key, Store, StoreError};

/// The store of a plan.
pub struct Overlay {
    below: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// What was written; `None` for what was removed.
    written: Mutex<BTreeMap<Key, Option<Item>>>,
}

impl Overlay {
    /// Nothing is written yet.
    pub fn over(below: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { below, clock, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Key, Option<Item>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_alive(&self, item: &Item) -> bool {
        item.expires_at.is_none_or(|at| at > self.clock.now())
    }

    /// What is known here about a key; `None` when it must be asked below.
    fn here(&self, key: &Key) -> Option<Option<Item>> {
        let known = self.written().get(key).cloned()?;
        Some(known.filter(|item| self.is_alive(item)))
    }

    async fn version_where(&self, key: &Key, condition: Condition) -> Result<Option<u64>, StoreError> {
        let version = self.get(key).await?.map(|item| item.version);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(wanted) => version == Some(wanted),
        };
        if holds { Ok(version) } else { Err(StoreError::ConditionFailed) }
    }
}

#[async_trait]
impl Store for Overlay {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        match self.here(key) {
            Some(known) => Ok(known),
            None => self.below.get(key).await,
        }
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut items = self.below.batch_get(keys).await?;
        for (key, item) in keys.iter().zip(&mut items) {
            if let Some(known) = self.here(key) {
                *item = known;
            }
        }
        Ok(items)
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let version = self.version_where(key, condition).await?.unwrap_or(0) + 1;
        // The trail of a plan is read by nobody, and it would hold every record twice.
        if !is_trail(key) {
            let item = Item { key: key.clone(), value: value.to_owned(), version, expires_at };
            self.written().insert(key.clone(), Some(item));
        }
        Ok(version)
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        self.version_where(key, condition).await?;
        self.written().insert(key.clone(), None);
        Ok(())
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut from = after.map(str::to_owned);
        loop {
            let page = self.below.query(partition, prefix, from.as_deref(), limit).await?;
            // Behind the last item of a full page there may be more below, so nothing is said about it yet.
            let bound = page.last().filter(|_| page.len() == limit).map(|item| item.key.sort.clone());
            let mut merged: BTreeMap<String, Item> =
                page.into_iter().map(|item| (item.key.sort.clone(), item)).collect();
            for (key, item) in self.written().iter().filter(|(key, _)| key.partition == partition) {
                let is_here = key.sort.starts_with(prefix)
                    && from.as_ref().is_none_or(|from| key.sort > *from)
                    && bound.as_ref().is_none_or(|bound| key.sort <= *bound);
                match item.as_ref().filter(|item| self.is_alive(item)) {
                    _ if !is_here => {}
                    Some(item) => drop(merged.insert(key.sort.clone(), item.clone())),
                    None => drop(merged.remove(&key.sort)),
                }
            }
            found.extend(merged.into_values());
            if found.len() >= limit || bound.is_none() {
                found.truncate(limit);
                return Ok(found);
            }
            from = bound;
        }
    }
}

fn is_trail(key: &Key) -> bool {
    key.partition.split('#').nth(1) == Some("trail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use koppel_core::Tenant;
    use koppel_core::ports::SystemClock;

    fn key(sort: &str) -> Key {
        Key::new(&Tenant::default(), &["waiting", "f"], sort)
    }

    fn overlay() -> (Arc<Overlay>, Overlay) {
        let below: Arc<Overlay> = Arc::new(Overlay::over(Arc::new(Nothing), Arc::new(SystemClock)));
        let above = Overlay::over(below.clone(), Arc::new(SystemClock));
        (below, above)
    }

    /// The bottom: a store without items.
    struct Nothing;

    #[async_trait]
    impl Store for Nothing {
        async fn get(&self, _: &Key) -> Result<Option<Item>, StoreError> {
            Ok(None)
        }
        async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
            Ok(vec![None; keys.len()])
        }
        async fn put(&self, _: &Key, _: &str, _: Condition, _: Option<DateTime<Utc>>) -> Result<u64, StoreError> {
            Err(StoreError::Unavailable("read only".into()))
        }
        async fn delete(&self, _: &Key, _: Condition) -> Result<(), StoreError> {
            Err(StoreError::Unavailable("read only".into()))
        }
        async fn query(&self, _: &str, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Item>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[tokio::test]
    async fn what_is_written_is_seen_here_and_not_below() {
        let (below, above) = overlay();
        below.put(&key("1"), "old", Condition::Always, None).await.unwrap();
        below.put(&key("2"), "old", Condition::Always, None).await.unwrap();
        assert_eq!(above.put(&key("1"), "new", Condition::Version(1), None).await.unwrap(), 2);
        assert_eq!(above.put(&key("1"), "x", Condition::Version(1), None).await, Err(StoreError::ConditionFailed));
        assert_eq!(above.put(&key("2"), "x", Condition::Absent, None).await, Err(StoreError::ConditionFailed));
        above.delete(&key("2"), Condition::Always).await.unwrap();
        assert_eq!(above.get(&key("1")).await.unwrap().unwrap().value, "new");
        assert_eq!(above.get(&key("2")).await.unwrap(), None);
        let both = above.batch_get(&[key("1"), key("2")]).await.unwrap();
        assert_eq!(both[0].as_ref().unwrap().value, "new");
        assert!(both[1].is_none());
        assert_eq!(below.get(&key("1")).await.unwrap().unwrap().value, "old");
        assert_eq!(below.get(&key("2")).await.unwrap().unwrap().value, "old");
    }

    #[tokio::test]
    async fn a_query_mixes_both_page_by_page() {
        let (below, above) = overlay();
        for sort in ["a", "b", "c", "d", "f"] {
            below.put(&key(sort), "below", Condition::Always, None).await.unwrap();
        }
        above.delete(&key("a"), Condition::Always).await.unwrap();
        above.delete(&key("b"), Condition::Always).await.unwrap();
        above.put(&key("e"), "above", Condition::Always, None).await.unwrap();
        let partition = key("a").partition;
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = above.query(&partition, "", after.as_deref(), 2).await.unwrap();
            seen.extend(page.iter().map(|item| item.key.sort.clone()));
            after = page.last().map(|item| item.key.sort.clone());
            if page.len() < 2 {
                break;
            }
        }
        assert_eq!(seen, ["c", "d", "e", "f"]);
    }

    #[tokio::test]
    async fn what_has_expired_here_is_gone() {
        let (below, above) = overlay();
        below.put(&key("1"), "below", Condition::Always, None).await.unwrap();
        above.put(&key("1"), "above", Condition::Always, Some(DateTime::UNIX_EPOCH)).await.unwrap();
        assert_eq!(above.get(&key("1")).await.unwrap(), None);
        assert!(above.query(&key("1").partition, "", None, 9).await.unwrap().is_empty());
    }
}
