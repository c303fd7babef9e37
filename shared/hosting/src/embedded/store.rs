//! The store port on SQLite. Text compares byte by byte, as in DynamoDB.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::ports::{Clock, Condition, Item, Key, Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::Database;
use super::sweep::Sweeper;
use super::{from_micros, micros};

/// Items in the `item` table.
pub struct EmbeddedStore {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    sweeper: Arc<Sweeper>,
}

impl EmbeddedStore {
    /// A store in `database`.
    pub fn new(database: Arc<Database>, clock: Arc<dyn Clock>, sweeper: Arc<Sweeper>) -> Self {
        Self { database, clock, sweeper }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        Ok(self.database.read(move |connection| read(connection, &key, micros(clock.now()))).await?)
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let (keys, clock) = (keys.to_vec(), self.clock.clone());
        let work = move |connection: &Connection| {
            let now = micros(clock.now());
            keys.iter().map(|key| read(connection, key, now)).collect()
        };
        Ok(self.database.read(work).await?)
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        self.sweeper.when_due();
        let (key, value, clock) = (key.clone(), value.to_owned(), self.clock.clone());
        let work = move |connection: &Connection| {
            let current = current(connection, &key)?;
            if !condition_holds(condition, current, micros(clock.now())) {
                return Ok(None);
            }
            let version = current.map_or(1, |(version, _)| version + 1);
            connection
                .prepare_cached(
                    "INSERT INTO item (partition_key, sort_key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (partition_key, sort_key) DO UPDATE
                     SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at",
                )?
                .execute(params![key.partition, key.sort, value, version, expires_at.map(micros)])?;
            Ok(Some(version.unsigned_abs()))
        };
        self.database.write(work).await?.ok_or(StoreError::ConditionFailed)
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        let (key, clock) = (key.clone(), self.clock.clone());
        let work = move |connection: &Connection| {
            if !condition_holds(condition, current(connection, &key)?, micros(clock.now())) {
                return Ok(None);
            }
            connection
                .prepare_cached("DELETE FROM item WHERE partition_key = ?1 AND sort_key = ?2")?
                .execute(params![key.partition, key.sort])?;
            Ok(Some(()))
        };
        self.database.write(work).await?.ok_or(StoreError::ConditionFailed)
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let (partition, prefix) = (partition.to_owned(), prefix.to_owned());
        let (after, clock) = (after.map(str::to_owned), self.clock.clone());
        let work = move |connection: &Connection| {
            let now = micros(clock.now());
            // Where to begin: after the last one seen, or at the first that can have the prefix.
            let (start, sql) = match &after {
                Some(after) if *after >= prefix => (after, FROM_AFTER),
                _ => (&prefix, FROM_START),
            };
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![partition, start])?;
            let mut items = Vec::new();
            while items.len() < limit {
                let Some(row) = rows.next()? else { break };
                if !row.get_ref(1)?.as_str()?.starts_with(prefix.as_str()) {
                    break;
                }
                items.extend(item(row, now)?);
            }
            Ok(items)
        };
        Ok(self.database.read(work).await?)
    }
}

const FROM_START: &str = "SELECT partition_key, sort_key, value, version, expires_at FROM item
     WHERE partition_key = ?1 AND sort_key >= ?2 ORDER BY sort_key";
const FROM_AFTER: &str = "SELECT partition_key, sort_key, value, version, expires_at FROM item
     WHERE partition_key = ?1 AND sort_key > ?2 ORDER BY sort_key";

fn read(connection: &Connection, key: &Key, now: i64) -> rusqlite::Result<Option<Item>> {
    let found = connection
        .prepare_cached(
            "SELECT partition_key, sort_key, value, version, expires_at FROM item
             WHERE partition_key = ?1 AND sort_key = ?2",
        )?
        .query_row(params![key.partition, key.sort], |row| item(row, now))
        .optional()?;
    Ok(found.flatten())
}

/// The item of a row, unless it has expired.
fn item(row: &Row<'_>, now: i64) -> rusqlite::Result<Option<Item>> {
    let expires_at: Option<i64> = row.get(4)?;
    if expires_at.is_some_and(|moment| moment <= now) {
        return Ok(None);
    }
    Ok(Some(Item {
        key: Key { partition: row.get(0)?, sort: row.get(1)? },
        value: row.get(2)?,
        version: row.get::<_, i64>(3)?.unsigned_abs(),
        expires_at: expires_at.and_then(from_micros),
    }))
}

/// Version and expiry of what is stored, expired or not: versions also grow over an item that was not swept yet.
fn current(connection: &Connection, key: &Key) -> rusqlite::Result<Option<(i64, Option<i64>)>> {
    connection
        .prepare_cached("SELECT version, expires_at FROM item WHERE partition_key = ?1 AND sort_key = ?2")?
        .query_row(params![key.partition, key.sort], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn condition_holds(condition: Condition, current: Option<(i64, Option<i64>)>, now: i64) -> bool {
    let alive = current.filter(|(_, expires_at)| expires_at.is_none_or(|moment| moment > now));
    match condition {
        Condition::Always => true,
        Condition::Absent => alive.is_none(),
        Condition::Version(wanted) => alive.is_some_and(|(version, _)| version.unsigned_abs() == wanted),
    }
}
