//! When an order was seen to change: the shop has no date for it, and no filter.
//!
//! Lists show the head of each order. Its fingerprint is kept with the moment at which it was seen first, so «changed since»
//! is «seen otherwise since». That moment is never before the change itself: an order may be handed out twice, and is never
//! passed over. Only ids, fingerprints and moments are kept.
//!
//! What is seen for the first time has just come into the list: placed, paid, or changed to a status that is read. Unless
//! nobody has looked for as long as the reader asks about: then nothing is known but when it was placed.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Condition, Key, Store, StoreError};
use koppel_core::{Cause, Failure, Tenant};

use crate::http::Deps;

/// Orders that are kept together.
const TOGETHER: u64 = 500;
/// Tries when another process writes at the same time.
const TRIES: usize = 8;
/// Kept for this long after orders of this age are listed no more.
const SPARE: TimeDelta = TimeDelta::days(7);

/// A reader asks from a few minutes before its last run on.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A head of an order that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub id: u64,
    pub fingerprint: String,
    pub placed: Option<DateTime<Utc>>,
}

/// By order: its fingerprint, and when it was seen first, in nanoseconds: a moment that is rounded down would be before the
/// change.
type Seen = BTreeMap<u64, (String, i64)>;

/// The marks of one shop.
pub struct Marks {
    store: Arc<dyn Store>,
    tenant: Tenant,
    connection: String,
    kept: TimeDelta,
}

impl Marks {
    /// For a connection; `look_back` is how old an order may be that is still listed.
    pub fn new(connection: &Connection, look_back: TimeDelta, deps: &Deps) -> Self {
        Self {
            store: Arc::clone(&deps.store),
            tenant: connection.tenant.clone(),
            connection: connection.name.clone(),
            kept: look_back + SPARE,
        }
    }

    /// Takes down what is seen now, and says since when each order has been as it is.
    ///
    /// `asked` is since when the reader wants to know.
    pub async fn observe(
        &self,
        heads: &[Head],
        asked: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<u64, DateTime<Utc>>, Failure> {
        let looks_on = self.looks_since(now).await? <= asked + OVERLAP;
        let mut groups: BTreeMap<u64, Vec<&Head>> = BTreeMap::new();
        for head in heads {
            groups.entry(head.id / TOGETHER).or_default().push(head);
        }
        let keys: Vec<Key> = groups.keys().map(|group| self.key(*group)).collect();
        let items = self.store.batch_get(&keys).await?;
        let mut since = BTreeMap::new();
        for ((group, heads), item) in groups.into_iter().zip(items) {
            let known = item.map(|item| (item.version, item.value));
            since.extend(self.observe_group(group, &heads, known, looks_on, now).await?);
        }
        Ok(since)
    }

    /// Since when somebody has looked at this shop without a long pause.
    async fn looks_since(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
        let key = Key::new(&self.tenant, &["order-marks", &self.connection], "looks-since");
        let item = self.store.get(&key).await?;
        let known = item.as_ref().and_then(|item| item.value.parse().ok());
        let fresh = item.as_ref().and_then(|item| item.expires_at).is_some_and(|end| end - now > self.kept / 2);
        if let Some(since) = known.filter(|_| fresh) {
            return Ok(since);
        }
        let since: DateTime<Utc> = known.unwrap_or(now);
        let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
        match self.store.put(&key, &since.to_rfc3339(), condition, Some(now + self.kept)).await {
            Ok(_) => Ok(since),
            // Another process was first, a moment ago.
            Err(StoreError::ConditionFailed) => Ok(since),
            Err(other) => Err(other.into()),
        }
    }

    async fn observe_group(
        &self,
        group: u64,
        heads: &[&Head],
        mut known: Option<(u64, String)>,
        looks_on: bool,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<u64, DateTime<Utc>>, Failure> {
        let key = self.key(group);
        for _ in 0..TRIES {
            // Marks that cannot be read start again: everything is handed out once more.
            let before: Seen = known.as_ref().and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default();
            let mut seen = before.clone();
            for head in heads {
                let at = match seen.get(&head.id) {
                    Some((known, _)) if *known == head.fingerprint => continue,
                    None if !looks_on => head.placed.unwrap_or(now),
                    _ => now,
                };
                seen.insert(head.id, (head.fingerprint.clone(), at.timestamp_nanos_opt().unwrap_or(i64::MAX)));
            }
            let moment = |id: u64| Some((id, DateTime::from_timestamp_nanos(seen.get(&id)?.1)));
            let since = heads.iter().filter_map(|head| moment(head.id)).collect();
            if seen == before {
                return Ok(since);
            }
            let condition = known.as_ref().map_or(Condition::Absent, |(version, _)| Condition::Version(*version));
            let text = serde_json::to_string(&seen)
                .map_err(|error| Failure::reject(Cause::new("marks_not_serialisable", error.to_string())))?;
            match self.store.put(&key, &text, condition, Some(now + self.kept)).await {
                Ok(_) => return Ok(since),
                Err(StoreError::ConditionFailed) => {
                    known = self.store.get(&key).await?.map(|item| (item.version, item.value));
                }
                Err(other) => return Err(other.into()),
            }
        }
        let cause = Cause::new("marks_busy", "too many processes read this shop at this moment");
        Err(Failure::retry(RetryReason::Busy, None, cause))
    }

    fn key(&self, group: u64) -> Key {
        Key::new(&self.tenant, &["order-marks", &self.connection], format!("{group:012}"))
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marks").field("connection", &self.connection).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::testing::{connection, world};

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn head(id: u64, mark: &str, placed: &str) -> Head {
        Head { id, fingerprint: mark.to_owned(), placed: Some(at(placed)) }
    }

    #[tokio::test]
    async fn an_order_has_been_as_it_is_since_it_was_seen_so_first() {
        let (_, store, deps) = world();
        let marks = Marks::new(&connection("ccv-shop", json!({}), &[]), TimeDelta::days(14), &deps);
        let seen = async |heads: &[(u64, &str)], asked: &str, when: &str| {
            let heads: Vec<Head> = heads.iter().map(|(id, mark)| head(*id, mark, "01:00:00")).collect();
            marks.observe(&heads, at(asked), at(when)).await.unwrap().into_values().collect::<Vec<_>>()
        };
        // Nobody has looked before: what is known is when they were placed.
        assert_eq!(seen(&[(1, "a"), (501, "a")], "00:00:00", "06:00:00").await, [at("01:00:00"), at("01:00:00")]);
        assert_eq!(seen(&[(1, "a"), (501, "b")], "06:00:00", "06:05:00").await, [at("01:00:00"), at("06:05:00")]);
        // What comes into the list from now on has changed, whenever it was placed.
        assert_eq!(seen(&[(1, "b"), (2, "a")], "06:05:00", "06:10:00").await, [at("06:10:00"), at("06:10:00")]);
        // Back to what it was before is another change.
        assert_eq!(seen(&[(1, "a")], "06:10:00", "06:15:00").await, [at("06:15:00")]);
        let puts = store.puts.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(seen(&[(1, "a"), (2, "a")], "06:15:00", "06:20:00").await, [at("06:15:00"), at("06:10:00")]);
        assert_eq!(store.puts.load(std::sync::atomic::Ordering::Relaxed), puts, "what did not change is not written");
        // Whoever asks about a time before anybody looked is told when a new one was placed.
        assert_eq!(seen(&[(3, "a")], "05:30:00", "06:25:00").await, [at("01:00:00")]);
    }

    #[tokio::test]
    async fn two_processes_take_down_both_what_they_see() {
        let (_, _, deps) = world();
        let shop = connection("ccv-shop", json!({}), &[]);
        let [one, other] = [0, 1].map(|_| Marks::new(&shop, TimeDelta::days(14), &deps));
        one.observe(&[], at("05:00:00"), at("05:00:00")).await.unwrap();
        let mine: Vec<Head> = (0..50).map(|id| head(id, "a", "01:00:00")).collect();
        let theirs: Vec<Head> = (50..100).map(|id| head(id, "a", "01:00:00")).collect();
        let asked = at("05:30:00");
        let (first, second) =
            tokio::join!(one.observe(&mine, asked, at("06:00:00")), other.observe(&theirs, asked, at("06:00:01")));
        first.and(second).unwrap();
        let all: Vec<Head> = mine.into_iter().chain(theirs).collect();
        let since = one.observe(&all, asked, at("07:00:00")).await.unwrap();
        assert_eq!(since.len(), 100);
        assert!(since.values().all(|since| *since < at("06:00:02")), "{since:?}");
    }
}
