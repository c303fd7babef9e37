//! The store: items under a partition and a sort key, written with conditions, expiring by themselves.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::{Cause, Failure, RetryReason};
use crate::keys::Tenant;

/// Key of an item. The partition starts with the tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Partition: `tenant#area#…`; what is queried together.
    pub partition: String,
    /// Sort key inside the partition.
    pub sort: String,
}

impl Key {
    /// Builds a key from the tenant, the parts of the partition and the sort key.
    ///
    /// Parts are escaped, so that a part with a `#` can never reach into another tenant or area.
    pub fn new(tenant: &Tenant, area: &[&str], sort: impl Into<String>) -> Self {
        Self { partition: partition(tenant, area), sort: sort.into() }
    }
}

/// The partition of [`Key::new`].
pub fn partition(tenant: &Tenant, area: &[&str]) -> String {
    let mut text = escape(&tenant.0);
    for part in area {
        text.push('#');
        text.push_str(&escape(part));
    }
    text
}

fn escape(part: &str) -> String {
    part.replace('%', "%25").replace('#', "%23")
}

/// A stored item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Key.
    pub key: Key,
    /// JSON text.
    pub value: String,
    /// Grows by one with every put; the base of conditional writes.
    pub version: u64,
    /// When the item ends; an expired item is never returned, even before it is swept.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// No (unexpired) item under this key.
    Absent,
    /// The item has this version.
    Version(u64),
}

/// What goes wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The condition did not hold: somebody else was first.
    #[error("the stored item changed meanwhile")]
    ConditionFailed,
    /// Too many requests.
    #[error("the store is throttled: {0}")]
    Throttled(String),
    /// Anything else: again later.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let reason = match &error {
            StoreError::ConditionFailed => RetryReason::Busy,
            StoreError::Throttled(_) => RetryReason::Throttled,
            StoreError::Unavailable(_) => RetryReason::Unavailable,
        };
        Self::retry(reason, None, Cause::new("store", error.to_string()))
    }
}

/// Items under keys.
#[async_trait]
pub trait Store: Send + Sync {
    /// The item, unless absent or expired. Strongly consistent.
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError>;

    /// Many items at once, in the order of `keys`.
    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError>;

    /// Writes `value` when `condition` holds and returns the new version.
    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError>;

    /// Removes the item when `condition` holds; removing what is absent is fine under [`Condition::Always`].
    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError>;

    /// Items of one partition whose sort key starts with `prefix`, ascending, after `after`, at most `limit`.
    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_cannot_reach_into_another_area() {
        let tenant = Tenant("a".into());
        assert_ne!(Key::new(&tenant, &["x#y"], "1").partition, Key::new(&tenant, &["x", "y"], "1").partition);
        assert_ne!(
            Key::new(&Tenant("a#x".into()), &["y"], "1").partition,
            Key::new(&tenant, &["x", "y"], "1").partition
        );
    }
}
