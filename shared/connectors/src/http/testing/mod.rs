//! Twins of the ports for unit tests: a store in memory, a vault that only marks, a clock that is moved by hand.

pub(crate) mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::ports::{Clock, Condition, Item, Key, Store, StoreError, Vault};
use koppel_core::{Cause, Failure, Tenant};

use super::Deps;

/// A store in memory.
pub(crate) struct MemoryStore {
    items: Mutex<BTreeMap<Key, Item>>,
    clock: Arc<dyn Clock>,
    pub gets: std::sync::atomic::AtomicUsize,
    pub puts: std::sync::atomic::AtomicUsize,
    /// So many of the next writes fail.
    pub failing: std::sync::atomic::AtomicUsize,
}

impl MemoryStore {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            items: Mutex::default(),
            clock,
            gets: Default::default(),
            puts: Default::default(),
            failing: Default::default(),
        }
    }

    fn alive(&self, item: &Item) -> bool {
        item.expires_at.is_none_or(|end| end > self.clock.now())
    }
}

fn holds(condition: Condition, current: Option<&Item>) -> Result<(), StoreError> {
    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => current.is_none(),
        Condition::Version(version) => current.is_some_and(|item| item.version == version),
    };
    if holds { Ok(()) } else { Err(StoreError::ConditionFailed) }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.gets.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tokio::task::yield_now().await;
        Ok(self.items.lock().unwrap().get(key).filter(|item| self.alive(item)).cloned())
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let items = self.items.lock().unwrap();
        Ok(keys.iter().map(|key| items.get(key).filter(|item| self.alive(item)).cloned()).collect())
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        self.puts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tokio::task::yield_now().await;
        let failing = |left: usize| left.checked_sub(1);
        let order = std::sync::atomic::Ordering::SeqCst;
        if self.failing.fetch_update(order, order, failing).is_ok() {
            return Err(StoreError::Unavailable("for a test".into()));
        }
        let mut items = self.items.lock().unwrap();
        let current = items.get(key).filter(|item| self.alive(item));
        holds(condition, current)?;
        let version = current.map_or(0, |item| item.version) + 1;
        items.insert(key.clone(), Item { key: key.clone(), value: value.to_owned(), version, expires_at });
        Ok(version)
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        let mut items = self.items.lock().unwrap();
        holds(condition, items.get(key))?;
        items.remove(key);
        Ok(())
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let items = self.items.lock().unwrap();
        Ok(items
            .values()
            .filter(|item| item.key.partition == partition && item.key.sort.starts_with(prefix))
            .filter(|item| after.is_none_or(|after| item.key.sort.as_str() > after))
            .take(limit)
            .cloned()
            .collect())
    }
}

/// A vault that binds bytes to their context without hiding them from a debugger.
pub(crate) struct MarkingVault;

#[async_trait]
impl Vault for MarkingVault {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut sealed = format!("{context}\n").into_bytes();
        sealed.extend(plain.iter().map(|byte| byte ^ 0x5a));
        Ok(sealed)
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        let mark = format!("{context}\n").into_bytes();
        let rest = sealed
            .strip_prefix(mark.as_slice())
            .ok_or_else(|| Failure::settings(Cause::new("wrong_context", "sealed for something else")))?;
        Ok(rest.iter().map(|byte| byte ^ 0x5a).collect())
    }
}

/// A clock that is moved by hand.
pub(crate) struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    pub fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc))))
    }

    pub fn forward(&self, seconds: i64) {
        *self.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// A clock at a fixed start, its store, and both as dependencies.
pub(crate) fn world() -> (Arc<HandClock>, Arc<MemoryStore>, Deps) {
    let clock = HandClock::at("2026-11-22T06:00:00Z");
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let deps = Deps { store: store.clone(), vault: Arc::new(MarkingVault), clock: clock.clone() };
    (clock, store, deps)
}

/// A connection with these options and secrets.
pub(crate) fn connection(system: &str, options: serde_json::Value, secrets: &[(&str, &str)]) -> Connection {
    Connection {
        tenant: Tenant::default(),
        name: "shop".into(),
        system: system.into(),
        options: options.as_object().cloned().unwrap_or_default(),
        secrets: secrets.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}
